import { componentText } from '../../protocol/component-text.ts';
import type { ComponentKind } from '../../protocol/fingerprint.ts';
import { isPlaceholderSerial, isPlaceholderUuid } from './placeholder.ts';

/**
 * The canonical form of a component's value; undefined for a placeholder or a malformed value.
 */
export function normaliseComponent(kind: ComponentKind, raw: string): string | undefined {
  const value = componentText(raw);
  switch (kind) {
    case 'uuid':
      return normaliseUuid(value);
    case 'mac':
      return normaliseMac(value);
    case 'tpm-ek':
      return /^[0-9a-f]{64}$/.test(value) ? value : undefined;
    case 'cpu':
      return value === '' || isPlaceholderSerial(value) ? undefined : value;
    case 'system-serial':
    case 'board-serial':
    case 'chassis-serial':
    case 'disk':
      return isPlaceholderSerial(value) ? undefined : value;
  }
}

function normaliseUuid(value: string): string | undefined {
  const hex = value.replace(/[{}\s-]/g, '');
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return isPlaceholderUuid(uuid) ? undefined : uuid;
}

/** Locally administered and group addresses are assigned by software, so they identify no hardware. */
function normaliseMac(value: string): string | undefined {
  const hex = value.replace(/[:.\s-]/g, '');
  if (!/^[0-9a-f]{12}$/.test(hex) || /^(.)\1*$/.test(hex)) return undefined;
  if ((Number.parseInt(hex.slice(0, 2), 16) & 0b11) !== 0) return undefined;
  return hex.replace(/(..)(?=.)/g, '$1:');
}
