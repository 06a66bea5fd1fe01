/** Every format by its name. */
import { toJson } from './json';
import { toJunit } from './junit';
import { toMarkdown } from './markdown';
import type { Report } from './report';
import { toText } from './text';

export const FORMATS = {
  text: toText,
  json: toJson,
  junit: toJunit,
  markdown: toMarkdown,
} as const satisfies Record<string, (report: Report) => string>;

export type Format = keyof typeof FORMATS;
