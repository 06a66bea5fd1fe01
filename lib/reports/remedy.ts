/** A remedy is a sentence, and most of it is a command: the formats show what can be copied as that. */

/** A part of a remedy, in order. */
export interface RemedyPart {
  readonly kind: 'words' | 'command';
  readonly text: string;
}

/** Options that take no value: the word behind one belongs to the sentence. */
const FLAGS = 'all|allow-late|apply|dry-run|expired|json|list|quiet|rehearse';

/** A command of this toolkit with its ids and options; words that follow are the sentence's. */
const COMMAND = new RegExp(
  String.raw`(?:npx zx scripts/[a-z-]+\.mjs|npm run [a-z:-]+)(?: --(?=\s))?` +
    String.raw`(?: --(?:${FLAGS})\b| --[a-z][a-z-]*(?:[ =](?!-)[\w.:/=-]*\w)?| \d[\d-]*\b| (?:latest|status|plan|rollback)\b)*`,
  'g',
);

/** Splits a remedy into words and commands. */
export function partsOf(remedy: string): RemedyPart[] {
  const parts: RemedyPart[] = [];
  let end = 0;
  for (const { 0: command, index } of remedy.matchAll(COMMAND)) {
    parts.push({ kind: 'words', text: remedy.slice(end, index) }, { kind: 'command', text: command });
    end = index + command.length;
  }
  parts.push({ kind: 'words', text: remedy.slice(end) });
  return parts.filter(({ text }) => text !== '');
}

/** Commands that connect to nothing. */
const AIMLESS = /scripts\/(?:completion|handoff)\.mjs/;

/** The names that a target may have; what else was typed for one is not to be copied. */
const NAME = /^[\w.-]+$/;

/** A remedy whose commands go to the target that was asked for: without its name they would go to the default one. */
export function aimedAt(target: string, remedy: string): string {
  if (!NAME.test(target)) return remedy;
  const aimed = ({ kind, text }: RemedyPart) => {
    if (kind === 'words' || AIMLESS.test(text) || / --target\b/.test(text)) return text;
    return `${text}${text.startsWith('npm') && !text.includes(' -- ') ? ' --' : ''} --target ${target}`;
  };
  return partsOf(remedy).map(aimed).join('');
}
