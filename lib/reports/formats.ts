/** Every format by its name. */
import { toHtml } from './html';
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
  html: toHtml,
} as const satisfies Record<string, (report: Report) => string>;

export type Format = keyof typeof FORMATS;

/** Those that show what stands there beside the checks, which costs questions of its own. */
export const SHOW_OVERVIEW: readonly Format[] = ['json', 'html'];
