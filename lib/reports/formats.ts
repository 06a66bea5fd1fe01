/** Every format by its name. */
import { toJson } from './json';
import type { Report } from './report';
import { toText } from './text';

export const FORMATS = { text: toText, json: toJson } as const satisfies Record<string, (report: Report) => string>;

export type Format = keyof typeof FORMATS;
