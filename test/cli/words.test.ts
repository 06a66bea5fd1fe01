import test from 'ava';
import { actorOf, parseExpiry, parseIds, parseLink, parseSeconds, parseText } from '../../lib/cli/words';
import { ToolkitError } from '../../lib/errors';

const NOW = new Date('2026-01-31T12:00:00.000Z');

function isUsage(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return error instanceof ToolkitError && error.code === 'USAGE';
  }
}

test('ids are plain decimal digits from 1 to 2147483647, ranges included, each once and in order', (t) => {
  t.deepEqual(parseIds(['15', '212-215', '15', '213', '2147483647']), [15, 212, 213, 214, 215, 2147483647]);
  const refused = [
    '', ' 15', '15 ', '0', '00', '-1', '+1', '0x0f', '1e1', '1.5', '1,5', '15abc', '2147483648', '99999999999', '١٥', '１５',
    '30-20', '0-3', '1-', '-', '1-2-3', '1 - 3', '1-2147483647', 'NaN', 'Infinity', '1_000', "1'000",
  ];
  for (const word of refused) t.true(isUsage(() => parseIds([word])), JSON.stringify(word));
});

test('an expiry is a date or a duration, in UTC, and in the future', (t) => {
  const cases: [string, string][] = [
    ['90d', '2026-05-01T12:00:00.000Z'],
    ['12h', '2026-02-01T00:00:00.000Z'],
    ['P1M', '2026-02-28T12:00:00.000Z'],
    ['2026-02-01', '2026-02-01T00:00:00.000Z'],
    ['2028-02-29T10:00', '2028-02-29T10:00:00.000Z'],
    ['2026-02-01T00:00:00+05:00', '2026-01-31T19:00:00.000Z'],
  ];
  for (const [text, expected] of cases) t.is(parseExpiry(text, NOW).toISOString(), expected, text);
  const refused = [
    '', 'soon', '23', '2359', '20', '0d', 'P0D', '-5d', '-P1D', '90', '90D', '1.5d', '2027-02-30', '2027-02-29', '2026-01-31',
    '2026-01-31T12:00:00Z', '10000-01-01', '+010000-01-01', '9999999w', '2027-W01', '2027-13-01', '2027-01-31T25:00',
  ];
  for (const text of refused) t.true(isUsage(() => parseExpiry(text, NOW)), JSON.stringify(text));
});

test('free text has no control characters, no turning of the text, and fits its column', (t) => {
  t.is(parseText('--reason', '  KSESSIONS is just text, and so is العربية ', 1000), 'KSESSIONS is just text, and so is العربية');
  for (const text of ['', '  ', 'a\nb', 'a\u0000b', 'a\u001b[2J', 'a\u202Eb', 'a\u2028b', 'x'.repeat(11)]) {
    t.true(isUsage(() => parseText('--reason', text, 10)), JSON.stringify(text));
  }
  t.not(actorOf(undefined), '');
});

test('a GUID in a text that would be stored is refused and not repeated; digits that are none are not', (t) => {
  const guid = '11111111-1111-4111-8111-111111111111';
  for (const text of [guid, `the host posted ${guid.toUpperCase()}.`, `{${guid}}`, `was ${guid.replaceAll('-', '')}`, `${guid},`, `q${guid}`]) {
    const error = t.throws(() => parseText('--reason', text, 1000), { instanceOf: ToolkitError }, text);
    t.is(error.code, 'USAGE');
    t.notRegex(`${error.message} ${error.why} ${error.hint}`, /1111/);
    t.throws(() => actorOf(text), { instanceOf: ToolkitError }, text);
  }
  for (const text of ['operation 3f2b9c1e', `commit ${'a1'.repeat(20)}`, `digest ${'a1'.repeat(32)}`, 'ticket 11111111-1111-4111']) {
    t.is(parseText('--reason', text, 1000), text);
  }
});

test('a wait is whole seconds, and has an end', (t) => {
  t.is(parseSeconds('--wait', '0', 3600), 0);
  t.is(parseSeconds('--wait', '30', 3600), 30_000);
  for (const text of ['1h', '-1', '1.5', '', '3601', 'Infinity']) t.true(isUsage(() => parseSeconds('--wait', text, 3600)), text);
});

test('a link is a canvas session id and a KSESSIONS id or none, and nothing else', (t) => {
  t.deepEqual(parseLink('219=15'), { canvasSessionId: 219, ksessionsId: 15 });
  t.deepEqual(parseLink('215=none'), { canvasSessionId: 215, ksessionsId: null });
  for (const text of ['', '219', '219=', '=15', '0=15', '-1=15', '219=0', '219=2147483648', '219=0x0f', '219=NONE', '1e1=15', '219=15=15', ' 219=15']) {
    const error = t.throws(() => parseLink(text), { instanceOf: ToolkitError }, text);
    t.is(error.code, 'USAGE', text);
  }
});
