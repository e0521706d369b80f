import { describe, expect, it } from 'vitest';

import { PLACES, renderWxs, type PackagedFile } from '../../../../installers/windows/render-wxs.ts';
import { stableGuid } from '../../../../installers/windows/stable-guid.ts';

const file = (target: string, feature: PackagedFile['feature'] = 'Agent'): PackagedFile => ({
  source: `/built/${target}`,
  target,
  feature,
});
const AGENT = [PLACES.helper, PLACES.command, 'node.exe', 'kiwistack-agent.js'].map((target) => file(target));
const WINDOW = [file(PLACES.window, 'Window'), file('window/resources/app.asar', 'Window')];
const render = (files = [...AGENT, ...WINDOW], version = '1.2.3'): string => renderWxs({ version, files });

describe('the source of the package for Windows', () => {
  it('is the same whatever the order of the files, and does not say where they were built', () => {
    const text = render();
    expect(render([...WINDOW, ...AGENT].toReversed())).toBe(text);
    expect(text).not.toContain('/built/');
  });

  it('has a component for each file, whose code stays when the version changes', () => {
    const codes = (text: string): (string | undefined)[] =>
      [...text.matchAll(/<Component Id="(\w+)" Guid="(\{[0-9A-F-]{36}\})"/gu)].map(([, , code]) => code);
    const [now, later] = [codes(render()), codes(render(undefined, '1.2.4'))];
    expect(new Set(now).size).toBe(AGENT.length + WINDOW.length);
    expect(later).toEqual(now);
    const product = (text: string): string | undefined => /<Product Id="([^"]+)"/u.exec(text)?.[1];
    expect(product(render(undefined, '1.2.4'))).not.toBe(product(render()));
  });

  it('belongs to the product that doctor looks for, and makes its service', () => {
    const text = render();
    expect(text).toContain('UpgradeCode="{7C5E2C4B-8A0E-4F0B-9B53-52B6D1C0E7A4}"');
    expect(text).toContain('Name="kiwistack-agent"');
    expect(text).toContain('Message="A newer version of KiwiStack Enroll is installed already. Nothing was changed."');
  });

  it('can do without the window, which is a choice of its own', () => {
    expect(render(AGENT)).not.toMatch(/Shortcut|Feature Id="Window"/u);
    expect(render()).toMatch(/<Feature Id="Agent"[^>]*>[\s\S]*<Feature Id="Window"[\s\S]*<\/Feature>\s*<\/Feature>/u);
  });

  it('cannot be told by whoever installs it where to put a service that runs as the system', () => {
    expect(render()).toMatch(/<Directory Id="InstallFolder" /u);
    expect(render()).not.toMatch(/Directory Id="INSTALL/u);
  });

  it('escapes what a name may have, and refuses the others', () => {
    expect(render([...AGENT, file("a/it's + more@2.js".replace("'", '_'))])).toContain('it_s + more@2.js');
    for (const name of ['../up.js', 'a/../b.js', 'größe.js', 'a"b', 'a&b', 'a|b', '[x]', '/etc/passwd', 'a//b']) {
      expect(() => render([...AGENT, file(name)]), name).toThrow(expect.objectContaining({ code: 'file-unusable' }));
    }
  });

  it.each(['1.2', '1.2.3.4', '256.0.0', '0.256.0', '0.0.65536', '1.2.3~rc1', ''])(
    'refuses the version %j',
    (version) => {
      expect(() => render(undefined, version)).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );
});

describe('a stable GUID', () => {
  it('depends on all of its words and on where one ends', () => {
    expect(stableGuid('a', 'b')).toBe(stableGuid('a', 'b'));
    expect(new Set([stableGuid('a', 'b'), stableGuid('ab'), stableGuid('a', 'b', ''), stableGuid('b', 'a')]).size).toBe(
      4,
    );
    expect(stableGuid('a')).toMatch(/^\{[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}\}$/u);
  });
});
