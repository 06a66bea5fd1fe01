/** The host GUID: made, hashed, compared, fingerprinted. It masks itself when printed, logged or serialised. */
import { inspect } from 'node:util';
import { v4 as uuidV4 } from 'uuid';
import { equalSecrets, type HmacKey } from '../config/keys';

const MASK = '[host GUID]';

/** The spellings of one GUID: braces, case and hyphens do not matter, nothing else is forgiven. */
const SPELLING =
  /^(?:\{([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}|([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|([0-9a-f]{32}))$/i;

/** One of them anywhere in a text. */
const WITHIN = /(?<![0-9a-f])(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])/i;

/** A host GUID. Only `reveal` shows it, and only the sink that hands it over calls that. */
export class HostGuid {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** A new one: UUID version 4 (RFC 9562), 122 random bits. */
  static make(): HostGuid {
    return new HostGuid(uuidV4());
  }

  /** @returns the GUID in any of its spellings, or undefined when the text is none */
  static parse(text: string): HostGuid | undefined {
    const match = SPELLING.exec(text.trim());
    const digits = (match?.[1] ?? match?.[2] ?? match?.[3])?.replaceAll('-', '').toLowerCase();
    if (digits === undefined) return undefined;
    return new HostGuid(digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'));
  }

  /** Does something that could be one stand in a text? */
  static isWithin(text: string): boolean {
    return WITHIN.test(text);
  }

  /** The credential itself, lower-case and hyphenated: for the show-once sink. */
  reveal(): string {
    return this.#text;
  }

  /** Base64 of HMAC-SHA-256(key, GUID): what is stored and what the application compares. */
  hash(key: HmacKey): string {
    return key.hash(this.#text);
  }

  /** 16 hex digits, safe to print and log. */
  fingerprint(key: HmacKey): string {
    return key.fingerprint('guid', this.#text);
  }

  /** Constant-time: does a stored hash belong to this GUID under this key? */
  matches(key: HmacKey, hash: string): boolean {
    return equalSecrets(this.hash(key), hash);
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
