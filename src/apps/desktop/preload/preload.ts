import { contextBridge, ipcRenderer } from 'electron';

import type { Kiwi, View } from '../view/view.ts';

const call = (name: string, ...args: readonly unknown[]): void => {
  void ipcRenderer.invoke('call', name, args);
};

const kiwi: Kiwi = {
  onView: (show) => {
    ipcRenderer.on('view', (_event, view: View) => {
      show(view);
    });
    void ipcRenderer.invoke('call', 'view', []).then((view: View) => {
      show(view);
    });
  },
  enroll: () => {
    call('enroll');
  },
  cancel: () => {
    call('cancel');
  },
  enterPin: (pin) => {
    call('enterPin', pin);
  },
  chooseKey: (serial) => {
    call('chooseKey', serial);
  },
  refresh: () => {
    call('refresh');
  },
  renew: () => {
    call('renew');
  },
  leave: () => {
    call('leave');
  },
  repair: () => {
    call('repair');
  },
  report: () => {
    call('report');
  },
  sendReport: () => {
    call('sendReport');
  },
  saveReport: () => {
    call('saveReport');
  },
  tunnelByApp: () => {
    call('tunnelByApp');
  },
  tunnelByDaemon: () => {
    call('tunnelByDaemon');
  },
  copy: (text) => {
    call('copy', text);
  },
  openLink: (place) => {
    call('openLink', place);
  },
  toLogin: () => {
    call('toLogin');
  },
  languages: [...navigator.languages],
};

contextBridge.exposeInMainWorld('kiwi', kiwi);
