import type { Catalogue } from './catalogue.ts';

export const de: Catalogue = {
  title: 'KiwiStack',
  looking: 'Dieser Laptop wird angesehen …',

  'welcome.title': 'Diesen Laptop für die Arbeit einrichten',
  'welcome.text': 'Sie brauchen Ihren YubiKey und seine PIN. Es dauert etwa drei Minuten.',
  'welcome.changes': 'Was sich ändert',
  'welcome.change.certificate': 'Dieser Laptop bekommt ein eigenes Zertifikat, das täglich erneuert wird.',
  'welcome.change.tunnel': 'Eine sichere Verbindung zu Ihrer Organisation startet mit dem Laptop.',
  'welcome.change.management':
    'Ihre Organisation sieht den Zustand dieses Laptops: Verschlüsselung, Updates, installierte Programme.',
  'welcome.stays': 'Was bleibt, wie es ist',
  'welcome.stay.files': 'Ihre Dateien und Ihr Konto auf diesem Laptop.',
  'welcome.stay.network': 'Ihr übriger Internetverkehr: Er läuft nicht durch die Verbindung.',
  'welcome.stay.leave': 'Sie können jederzeit austreten; dann wird alles wieder entfernt.',
  'welcome.begin': 'Diesen Laptop einrichten',
  'welcome.resume': 'Einrichtung fortsetzen',
  'welcome.resume.text': 'Eine Einrichtung wurde unterbrochen. Sie geht dort weiter, wo sie stehen blieb.',

  'key.title': 'Stecken Sie Ihren YubiKey ein',
  'key.text': 'Jeder USB-Anschluss ist recht. Er wird sofort bemerkt.',
  'key.key-not-enrolled':
    'Auf diesem YubiKey ist kein Zertifikat Ihrer Organisation. Stecken Sie den richtigen ein, oder lassen Sie ihn vom Betreuer vorbereiten.',
  'key.key-busy': 'Ein anderes Programm benutzt diesen YubiKey. Schließen Sie es; hier geht es dann von selbst weiter.',
  'key.key-other': 'Das ist ein anderer YubiKey als der, mit dem diese Einrichtung begann.',
  'key.key-service-hangs':
    'Der Smartcard-Dienst dieses Laptops antwortet nicht. Starten Sie den Laptop neu, wenn es so bleibt.',

  'choose.title': 'Welcher YubiKey ist Ihrer?',
  'choose.text': 'Es stecken mehrere.',
  'choose.key': 'YubiKey {serial}',
  'choose.of': '{role} bei {customer}',

  'pin.title': 'Geben Sie die PIN Ihres YubiKeys ein',
  'pin.for': 'Dieser Laptop kommt zu',
  'pin.code': 'Sitzungscode',
  'pin.code.why': 'Ihr Betreuer sieht dieselben sechs Ziffern.',
  'pin.label': 'PIN des YubiKeys {serial}',
  'pin.show': 'PIN anzeigen',
  'pin.next': 'Weiter',
  'pin.tries.low': 'Es bleiben 2 Versuche.',
  'pin.tries.final':
    'Das ist der letzte Versuch. Noch eine falsche PIN sperrt sie, und nur die PUK entsperrt sie wieder.',
  'pin.last': 'Letzten Versuch nutzen',
  'pin.pin-wrong': 'Das war nicht die PIN.',
  'pin.pin-malformed': 'Eine PIN hat 6 bis 8 Buchstaben oder Ziffern.',
  'pin.otp':
    'Der YubiKey wurde berührt und hat ein Einmalpasswort getippt. Berühren Sie ihn erst, wenn Sie darum gebeten werden, und tippen Sie Ihre PIN.',

  'touch.title': 'Berühren Sie Ihren YubiKey',
  'touch.text': 'Sein Licht blinkt. Legen Sie einen Finger auf das Metall.',
  'touch.left': { one: 'noch {count} Sekunde', other: 'noch {count} Sekunden' },
  'touch.late': 'Er wartet noch ein wenig …',

  'progress.title': 'Der Laptop wird eingerichtet',
  'progress.text': 'Jetzt ist nichts von Ihnen nötig.',
  'progress.waits': 'Wartet auf {what} …',
  'undoing.title': 'Änderungen werden zurückgenommen',
  'undoing.text': 'Dieser Laptop wird wieder, was er war.',

  'step.preflight': 'Diesen Laptop prüfen',
  'step.key': 'Den YubiKey finden',
  'step.device-key': 'Einen Schlüssel für diesen Laptop erzeugen',
  'step.slice': 'Ihre Organisation überprüfen',
  'step.statement': 'Mit dem YubiKey unterschreiben',
  'step.grant': 'Die Antwort prüfen',
  'step.certificate': 'Das Zertifikat installieren',
  'step.trust': 'Den Zertifikaten Ihrer Organisation vertrauen',
  'step.tunnel': 'Die sichere Verbindung starten',
  'step.agent': 'Den Verwaltungsagenten installieren',
  'step.confirm': 'Bestätigen',
  'step.green': 'Auf die erste Meldung warten',
  'state.running': 'läuft',
  'state.done': 'fertig',
  'state.failed': 'fehlgeschlagen',
  'state.undone': 'zurückgenommen',
  'state.stuck': 'nicht zurückgenommen',

  'done.title': 'Dieser Laptop ist bereit',
  'done.text': '{host} gehört jetzt zu {customer}.',
  'done.works':
    'Die sichere Verbindung steht und startet mit dem Laptop. Das Zertifikat erneuert sich selbst. Sie können den YubiKey abziehen.',
  'done.status': 'Zustand dieses Laptops zeigen',

  'failed.title': 'Es hat nicht geklappt',
  'failed.undone.yes': 'Was geändert worden war, wurde zurückgenommen.',
  'failed.undone.no':
    'Nicht alles konnte zurückgenommen werden. Versuchen Sie es noch einmal, oder fragen Sie Ihren Betreuer.',
  'failed.undone.unknown':
    'Die Verbindung zum KiwiStack-Dienst ging verloren; es ist nicht bekannt, was zurückgenommen wurde. Versuchen Sie es noch einmal: Es geht weiter, oder der Rest wird zurückgenommen.',
  'failed.cancelled': 'Abgebrochen',
  'failed.what': 'Was Sie tun können',
  'failed.again': 'Noch einmal versuchen',
  'failed.details': 'Einzelheiten für Ihren Betreuer',
  'failed.copy': 'Einzelheiten kopieren',
  'failed.copied': 'Kopiert.',

  'unavailable.title': 'Der KiwiStack-Dienst fehlt',
  'unavailable.text':
    'Er gehört zum Paket kiwistack-enroll. Installieren Sie dieses Paket noch einmal, oder fragen Sie Ihren Betreuer.',
  'unavailable.untrusted':
    'Was an seiner Stelle antwortet, gehört nicht dem System. Geben Sie keine PIN ein; sagen Sie es Ihrem Betreuer.',

  'status.title.well': 'Alles in Ordnung',
  'status.title.ill': 'Etwas braucht Aufmerksamkeit',
  'status.at': '{host} bei {customer}',
  'status.certificate': 'Zertifikat',
  'status.certificate.until': 'gültig bis {date}',
  'status.certificate.none': 'keines',
  'status.renewal': 'Nächste Erneuerung',
  'status.tunnel': 'Sichere Verbindung',
  'status.tunnel.up': 'steht',
  'status.tunnel.silent': 'eingerichtet, aber ohne Antwort',
  'status.tunnel.down': 'getrennt',
  'status.fleet': 'Verwaltung',
  'status.fleet.online': 'online',
  'status.fleet.offline': 'länger nicht gesehen',
  'status.fleet.unknown': 'nicht bekannt',
  'status.checks': 'Prüfungen',
  'status.checks.well': { one: '{count} Prüfung ist in Ordnung', other: '{count} Prüfungen sind in Ordnung' },
  'status.check.not-well': 'Problem',
  'status.check.not-known': 'Nicht bekannt',
  'status.check.not-looked-at': 'Nicht geprüft',
  'status.refresh': 'Noch einmal prüfen',
  'status.renew': 'Zertifikat jetzt erneuern',
  'status.leave': '{customer} verlassen …',

  'leave.title': '{customer} verlassen?',
  'leave.text':
    'Zertifikat, sichere Verbindung und Verwaltungsagent werden von diesem Laptop entfernt. Ihre Dateien bleiben. Um zurückzukommen, brauchen Sie wieder Ihren YubiKey.',
  'leave.yes': 'Austreten und alles entfernen',
  'leave.no': 'Bleiben',
  'left.title': 'Dieser Laptop ist ausgetreten',
  'left.text': 'Alles, was die Einrichtung geändert hatte, wurde entfernt.',
  'left.told': 'Ihre Organisation weiß davon.',
  'left.untold': 'Ihre Organisation war nicht erreichbar; sie erfährt es, sobald es eine Verbindung gibt.',
  'left.again': 'Wieder einrichten',

  cancel: 'Abbrechen',
  'cancel.hint': 'Was geändert wurde, wird zurückgenommen.',
};
