/** HMAC keys: read from the environment or a file, never printed. The first signs, all verify. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { accessSync, closeSync, constants, existsSync, fsyncSync, linkSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { faults } from '../errors';
import { weaknessOf } from './key-strength';
import { readSecretFile } from './secret-file';
import { variable, type Settings } from './settings';
import type { EmbeddedTarget, Target } from './targets';

/** SHA-256 is 32 bytes: a shorter HMAC key is weaker than the hash (RFC 2104 section 3). */
const MINIMUM_BYTES = 32;

/**
 * The constant in the old tool's source (I-38). It is public and no secret: as a key it is refused, and nothing is ever
 * stored under it. Where a target says `"legacyKey": "verify"`, what the old tool stored under it still verifies.
 */
const PUBLIC_LEGACY_KEY = Buffer.from('NOOR-CANVAS-HOST-SECRET-2025', 'utf8');

/** A key that masks itself: printed, logged or serialised it shows its id only. */
export class HmacKey {
  readonly #secret: Buffer;
  /** Fingerprint of the key, 16 hex digits; stored as HashKeyId. */
  readonly id: string;

  constructor(secret: Buffer) {
    this.#secret = secret;
    this.id = this.fingerprint('key', '');
  }

  /** Base64 of HMAC-SHA-256(key, message): the credential's stored form. */
  hash(message: string): string {
    return createHmac('sha256', this.#secret).update(message, 'utf8').digest('base64');
  }

  /**
   * 16 hex digits of a keyed hash under its own label, safe to print. The label and a NUL come first, so that
   * no fingerprint can equal part of a stored hash: the message of that is a GUID, which holds neither.
   */
  fingerprint(label: string, message: string): string {
    const mac = createHmac('sha256', this.#secret);
    return mac.update(`canvas-host/${label}/1\0${message}`, 'utf8').digest('hex').slice(0, 16);
  }

  /** Base64 of the labelled keyed hash; seals audit events. */
  seal(label: string, message: string): string {
    return this.hash(`canvas-host/${label}/1\0${message}`);
  }

  /** What makes it easy to guess, as far as that shows; undefined where nothing does. */
  get weakness(): string | undefined {
    return weaknessOf(this.#secret);
  }

  /** Does the key stand in a text? Only the answer leaves. */
  standsIn(text: string): boolean {
    return text.includes(this.#secret.toString('utf8'));
  }

  toJSON(): string {
    return `[key ${this.id}]`;
  }

  toString(): string {
    return this.toJSON();
  }

  [inspect.custom](): string {
    return this.toJSON();
  }
}

/** The keys of one run. */
export interface KeyRing {
  /** Hashes new credentials and seals new events. */
  readonly signing: HmacKey;
  /** All keys, the signing one first: each may verify. */
  readonly all: readonly HmacKey[];
  /** The public key of the old tool, where the target lets its credentials verify. It never signs. */
  readonly legacy: HmacKey | undefined;
}

/** @returns the key with that id, or undefined */
export function keyById(ring: KeyRing, id: string | null): HmacKey | undefined {
  return ring.all.find((key) => key.id === id);
}

/**
 * Constant-time comparison of two strings (the length is not a secret: hashes have one length).
 */
export function equalSecrets(a: string, b: string): boolean {
  const left = Buffer.from(a, 'utf8');
  const right = Buffer.from(b, 'utf8');
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * The keys for a target: from `CANVAS_HMAC_KEY`, or `CANVAS_HMAC_KEY_FILE`, one a line; the embedded target's own
 * key follows them (and is made on first use), so that its credentials keep verifying.
 * @throws ToolkitError CONFIG for a missing, short, repeated or public key, or a file that cannot be read
 */
export function readKeys(settings: Settings, target: Target): KeyRing {
  const keys = findKeys(settings, target);
  if (keys === undefined) throw faults.noKey(target.name);
  return keys;
}

/**
 * The same, for what can be told without a key: undefined where none is configured.
 * @throws ToolkitError CONFIG for a key that is there and cannot be used
 */
export function findKeys(settings: Settings, target: Target): KeyRing | undefined {
  const given = givenKeys(settings);
  const own = target.engine === 'pglite' ? [embeddedKey(target.folder)] : [];
  const secrets = [...given, ...own.filter((key) => !given.some((other) => other.equals(key)))];
  const [signing, ...rest] = secrets.map((secret) => new HmacKey(secret));
  if (signing === undefined) return undefined;
  const mayVerify = target.engine !== 'pglite' && target.legacyKey === 'verify';
  return { signing, all: [signing, ...rest], legacy: mayVerify ? new HmacKey(PUBLIC_LEGACY_KEY) : undefined };
}

/**
 * The key that hashes for a database that is no target: the first of `CANVAS_HMAC_KEY`, or `CANVAS_HMAC_KEY_FILE`. The
 * embedded target's own is not looked at.
 * @param database for the wording
 * @throws ToolkitError CONFIG as `readKeys`
 */
export function readHandoffKey(settings: Settings, database: string): HmacKey {
  const [secret] = givenKeys(settings);
  if (secret === undefined) throw faults.noHandoffKey(database);
  return new HmacKey(secret);
}

/**
 * Makes the embedded target's own key where there is none. Whatever opens that target first does this before: a key
 * that comes after data looks like one that was lost.
 * @throws ToolkitError CONFIG
 */
export function ensureEmbeddedKey({ folder }: EmbeddedTarget): void {
  embeddedKey(folder);
}

/** The files that keys are read from. */
export function keyFiles(settings: Settings, target: Target): string[] {
  const named = variable(settings.env, 'CANVAS_HMAC_KEY_FILE');
  return [...(named === undefined ? [] : [named]), ...(target.engine === 'pglite' ? [ownKeyFile(target.folder)] : [])];
}

const ownKeyFile = (folder: string) => join(folder, 'hmac.key');

function givenKeys(settings: Settings): Buffer[] {
  const inline = variable(settings.env, 'CANVAS_HMAC_KEY');
  const file = variable(settings.env, 'CANVAS_HMAC_KEY_FILE');
  if (inline !== undefined && file !== undefined) {
    throw faults.twoSources('CANVAS_HMAC_KEY', 'CANVAS_HMAC_KEY_FILE');
  }
  if (inline !== undefined) return parseKeys(inline, 'CANVAS_HMAC_KEY');
  if (file !== undefined) return parseKeys(readSecretFile(file), file);
  return [];
}

function parseKeys(text: string, origin: string): Buffer[] {
  const lines = text.split(/\r?\n/).map((line, index) => ({ key: Buffer.from(line, 'utf8'), number: index + 1 }));
  const filled = lines.filter(({ key }) => key.toString('utf8').trim() !== '');
  if (filled.length === 0) throw faults.badKey(origin, 1, 'there is no key in it');
  const keys: Buffer[] = [];
  for (const { key, number } of filled) {
    assertStrong(key, origin, number);
    if (keys.some((other) => other.equals(key))) throw faults.badKey(origin, number, 'it is there twice');
    keys.push(key);
  }
  return keys;
}

function assertStrong(key: Buffer, origin: string, line: number): void {
  if (key.includes(PUBLIC_LEGACY_KEY)) {
    throw faults.badKey(origin, line, "it holds the constant of the old tool's source, which is public");
  }
  if (key.length < MINIMUM_BYTES) {
    throw faults.badKey(origin, line, `it has ${key.length} bytes; at least ${MINIMUM_BYTES} are needed`);
  }
  if (new Set(key).size < 8) throw faults.badKey(origin, line, 'it repeats a few characters');
}

/**
 * The embedded target's own key. Written whole under another name and then linked, so that two first runs agree
 * on one key and a killed one leaves none half-written.
 */
function embeddedKey(folder: string): Buffer {
  const path = ownKeyFile(folder);
  if (existsSync(path)) return oneKey(readSecretFile(path), path);
  // A new key beside old data would make every credential in it void without a word.
  if (existsSync(join(folder, 'db'))) throw faults.keyGone(path);
  makeFolder(folder);
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = openSync(temporary, 'wx', 0o600);
  try {
    writeSync(file, `${randomBytes(32).toString('base64')}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(temporary);
  }
  return oneKey(readSecretFile(path), path);
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw faults.folderRefused(folder, cause);
  }
}

function oneKey(text: string, path: string): Buffer {
  const [key] = parseKeys(text, path);
  return key as Buffer;
}
