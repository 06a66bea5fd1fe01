/** The HTML report in a browser, where one is installed. */
import test from 'ava';
import axe from 'axe-core';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { toHtml } from '../../lib/reports/html';
import { chromiumPath, openBrowser } from '../helpers/chromium';
import { scratchFolder, type Owner } from '../helpers/lanes';
import { CHECKED, CLEAN, REFUSED, REPORT } from './sample';

const REPORTS = { report: REPORT, refused: REFUSED, clean: CLEAN, checked: CHECKED };

/** Without a browser each of these is skipped, by its name. */
const inBrowser = chromiumPath === undefined ? test.skip : test.serial;

let browser: Browser | undefined;

test.serial.before(async () => {
  if (chromiumPath !== undefined) browser = await openBrowser();
});
test.after.always(() => browser?.close());

interface Opened {
  readonly page: Page;
  /** What the page complained of, the policy's refusals included. */
  readonly complaints: readonly string[];
}

async function open(t: Owner, html: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const file = join(scratchFolder(t), 'report.html');
  writeFileSync(file, html);
  const context = await (browser as Browser).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => void (request.url().startsWith('file:') || complaints.push(request.url())));
  await page.goto(pathToFileURL(file).href);
  return { page, complaints };
}

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 360, height: 740 };

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    inBrowser(`axe finds nothing, ${colorScheme}, on a ${device}; nothing leaves the window to the side`, async (t) => {
      t.timeout(180_000);
      for (const [name, report] of Object.entries(REPORTS)) {
        const { complaints, page } = await open(t, toHtml(report), { colorScheme, viewport });
        for (const details of await page.locator('details').all()) await details.evaluate((one) => void ((one as unknown as { open: boolean }).open = true));
        t.deepEqual(complaints, [], name);
        // The policy lets no script in; the debugger does not ask it.
        await page.evaluate(axe.source);
        const violations = await page.evaluate(
          "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + failureSummary)]))",
        );
        t.deepEqual(violations, [], name);
        t.true(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), name);
      }
    });
  }
}

inBrowser('by keyboard: the first Tab goes to the findings, a group opens with Enter, a filter leaves what it names', async (t) => {
  const { page } = await open(t, toHtml(REPORT));
  await page.keyboard.press('Tab');
  t.is(await page.evaluate('document.activeElement.textContent'), 'To the findings');
  const group = page.locator('details.group').first();
  t.false(await group.evaluate((one) => (one as unknown as { open: boolean }).open));
  await group.locator('summary').focus();
  await page.keyboard.press('Enter');
  t.true(await group.evaluate((one) => (one as unknown as { open: boolean }).open));
  const shown = () => page.locator('.check:not([hidden])').evaluateAll((lines) => lines.map((line) => (line as unknown as { dataset: { status: string } }).dataset.status));
  t.is((await shown()).length, REPORT.checks.length);
  await page.getByRole('button', { name: 'failed' }).focus();
  await page.keyboard.press('Space');
  t.deepEqual(await shown(), ['fail', 'fail']);
  await page.getByRole('searchbox', { name: 'Find' }).fill('ORPHANS');
  t.deepEqual(await shown(), ['fail']);
  t.is(await page.locator('output').textContent(), '1 shown');
});

inBrowser('a command is copied as it stands', async (t) => {
  const { page } = await open(t, toHtml(REPORT), { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.locator('article').filter({ hasText: 'data.orphans' }).getByRole('button').click();
  t.is(await page.evaluate('navigator.clipboard.readText()'), 'npx zx scripts/consolidate.mjs --target staging');
});

inBrowser('without its script everything can be read, and nothing is offered that would not work', async (t) => {
  const { complaints, page } = await open(t, toHtml(REPORT), { javaScriptEnabled: false });
  t.true(await page.getByRole('heading', { level: 1, name: 'FAIL' }).isVisible());
  t.true(await page.locator('svg.schema').isVisible());
  t.is(await page.locator('button:visible, input:visible').count(), 0);
  await page.locator('summary').first().click();
  t.true(await page.getByText('Enrolled for staging (staging)').isVisible());
  t.deepEqual(complaints.filter((text) => !/Blocked script execution/.test(text)), []);
});

inBrowser('text from right to left runs so, and a page that was tampered with runs no other script', async (t) => {
  const arabic = { ...REPORT, checks: REPORT.checks.map((check) => ({ ...check, evidence: ['معنى كلمة الإسلام'] })) };
  const { page } = await open(t, toHtml(arabic));
  t.is(await page.evaluate("getComputedStyle(document.querySelector('article .evidence li')).direction"), 'rtl');
  const forged = toHtml(REPORT).replace('<main', '<script>document.title = "forged"</script><img src="x" onerror="document.title = \'forged\'"><main');
  const tampered = await open(t, forged);
  t.regex(await tampered.page.title(), /^FAIL · staging/);
  t.true(tampered.complaints.length > 0, 'the policy said no');
});

inBrowser('it prints, with what was folded unfolded', async (t) => {
  const { page } = await open(t, toHtml(CLEAN));
  const pdf = await page.pdf({ format: 'A4' });
  t.is(pdf.subarray(0, 5).toString(), '%PDF-');
  await page.evaluate("dispatchEvent(new Event('beforeprint'))");
  t.is(await page.locator('details:not([open], .as-text)').count(), 0);
  await page.evaluate("dispatchEvent(new Event('afterprint'))");
  t.true((await page.locator('details:not([open])').count()) > 0);
});
