/**
 * A secret in exactly one buffer. It never turns into a string by accident: a template, JSON, console.log and the inspector
 * show `[secret]`. Its holder calls `clear()` after use; from then on `bytes` throws.
 */
export class SecretBytes {
  #bytes: Buffer | undefined;

  /** Takes ownership of `bytes`: the caller must not keep or reuse it. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get bytes(): Buffer {
    if (this.#bytes === undefined) throw new TypeError('secret was cleared');
    return this.#bytes;
  }

  get length(): number {
    return this.bytes.length;
  }

  /** Overwrites the buffer with zeros. Safe to repeat. */
  clear(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
