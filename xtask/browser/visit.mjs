// What every look at the page needs: a browser, visitors with cookies of their own, and checks that
// print a line each.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
export const NARROW = { width: 360, height: 740 };
const PATIENCE = 10_000;
// Places of the chart.
const CHART = 50;

// Reads the arguments, all of which are needed: --url and so on.
export function options(...names) {
  const text = { type: "string" };
  const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, text])) });
  for (const name of names) assert(values[name], `--${name} is missing`);
  return values;
}

export class Visit {
  // Errors of scripts, and requests to anywhere else.
  complaints = [];
  pages = [];

  constructor(browser, given) {
    this.browser = browser;
    this.url = given.url;
    this.folder = given.screenshots;
    mkdirSync(this.folder, { recursive: true });
  }

  static async start(given) {
    const { chromium } = createRequire(join(resolve(given.driver), "package.json"))("playwright-core");
    const browser = await chromium.launch({
      executablePath: given.chromium,
      // Chromium's own sandbox does not work for root, as whom containers run.
      args: ["--disable-quic", "--no-first-run", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
    });
    return new Visit(browser, given);
  }

  // A visitor with cookies of their own, who may have picked a name already.
  async visitor({ name, ...settings } = {}) {
    const context = await this.browser.newContext({ viewport: DESKTOP, ...settings });
    context.setDefaultTimeout(PATIENCE);
    if (name) await context.addCookies([{ name: "movies_name", value: name, url: this.url }]);
    return context;
  }

  // A tab whose errors, and whose requests to anywhere else, are complaints; answers of failure are
  // none where they may come.
  async tab(context, { mayFail = false } = {}) {
    const page = await context.newPage();
    this.pages.push(page);
    page.on("pageerror", (error) => this.complaints.push(`script error on ${page.url()}: ${error.message}`));
    page.on("console", (message) => {
      const refused = mayFail && message.text().includes("Failed to load resource");
      if (message.type() === "error" && !refused) this.complaints.push(`console of ${page.url()}: ${message.text()}`);
    });
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol.startsWith("http") && url.origin !== new URL(this.url).origin) {
        this.complaints.push(`a request to ${url.origin} from ${page.url()}`);
      }
    });
    return page;
  }

  // A tab of a new visitor, at a path.
  async open(path, settings = {}) {
    const page = await this.tab(await this.visitor(settings));
    await page.goto(this.url + path);
    return page;
  }

  // Waits until the chart has been drawn up: it follows the ratings by a second or two.
  async ready() {
    const page = await this.tab(await this.visitor(), { mayFail: true });
    const rows = async () => {
      await page.goto(`${this.url}/charts`);
      return page.locator(".chart-table tbody tr").count();
    };
    for (let tries = 0; (await rows()) < CHART; tries += 1) {
      assert(tries < 60, "the chart is not drawn up");
      await new Promise((done) => setTimeout(done, 500));
    }
    await page.context().close();
  }

  async check(sentence, body) {
    try {
      const note = await body();
      console.log(`  ok      ${sentence}${typeof note === "string" ? ` (${note})` : ""}`);
    } catch (error) {
      console.log(`  FAILED  ${sentence}`);
      throw error;
    }
  }

  async picture(page, name, settings = {}) {
    await page.screenshot({ path: join(this.folder, `${name}.png`), ...settings });
  }
}

// How many gave each of the ten ratings, as the table beside the histogram tells.
export function counts(page) {
  return page.locator("[data-cells] td").allTextContents().then((cells) => cells.map(Number));
}

// Waits until the page shows these counts, however it comes to know.
export async function shows(page, expected) {
  await page
    .waitForFunction(
      (wanted) => [...document.querySelectorAll("[data-cells] td")].map((cell) => cell.textContent).join() === wanted,
      expected.join(),
    )
    .catch(async () => assert.deepEqual(await counts(page), expected));
}

// Counts with some changed: `{ 9: 1 }` is one more of nine half stars.
export function changed(before, changes) {
  return before.map((count, index) => count + (changes[index + 1] ?? 0));
}

// Presses Tab until the focus is on something the selector names.
export async function tabTo(page, selector, most = 60) {
  const there = () => page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector);
  for (let presses = 0; presses < most && !(await there()); presses += 1) await page.keyboard.press("Tab");
  assert(await there(), `${most} presses of Tab do not reach ${selector}`);
}
