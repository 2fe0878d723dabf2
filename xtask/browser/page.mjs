// The page as people use it: opens the list and a film, picks a name, rates by keyboard, and sees
// the histogram move in a second visitor's tab. Started by `cargo xtask test --only page`:
//
//   node page.mjs --url http://127.0.0.1:8080 --chromium PATH --driver FOLDER --screenshots FOLDER
//
// Every check is a line; the first that fails ends the run with a screenshot and status 1.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

const text = { type: "string" };
const { values: options } = parseArgs({
  options: { url: text, chromium: text, driver: text, screenshots: text },
});
for (const name of ["url", "chromium", "driver", "screenshots"]) {
  assert(options[name], `--${name} is missing`);
}
const { chromium } = createRequire(join(resolve(options.driver), "package.json"))("playwright-core");

const PATIENCE = 10_000;
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const VISITOR = "robin";

const complaints = [];
const pages = [];

// A visitor with cookies of their own.
async function visitor(browser, settings = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, ...settings });
  context.setDefaultTimeout(PATIENCE);
  return context;
}

// A tab whose errors, and whose requests to anywhere else, are complaints.
async function tab(context, { mayFail = false } = {}) {
  const page = await context.newPage();
  pages.push(page);
  page.on("pageerror", (error) => complaints.push(`script error on ${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !mayFail) complaints.push(`console of ${page.url()}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(options.url).origin) {
      complaints.push(`a request to ${url.origin} from ${page.url()}`);
    }
  });
  return page;
}

async function check(sentence, body) {
  try {
    await body();
  } catch (error) {
    console.log(`  FAILED  ${sentence}`);
    throw error;
  }
  console.log(`  ok      ${sentence}`);
}

// How many gave each of the ten ratings, as the table beside the histogram tells.
function counts(page) {
  return page.locator("[data-cells] td").allTextContents().then((cells) => cells.map(Number));
}

// Waits until the page shows these counts, however it comes to know.
async function shows(page, expected) {
  await page
    .waitForFunction(
      (wanted) => [...document.querySelectorAll("[data-cells] td")].map((cell) => cell.textContent).join() === wanted,
      expected.join(),
    )
    .catch(async () => assert.deepEqual(await counts(page), expected));
}

function changed(before, changes) {
  return before.map((count, index) => count + (changes[index + 1] ?? 0));
}

function fitsItsWindow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
}

async function photograph(browser, paths) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [device, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
      const context = await visitor(browser, { colorScheme, viewport, isMobile: device === "phone" });
      const page = await tab(context);
      for (const [name, path] of Object.entries(paths)) {
        await page.goto(options.url + path);
        await page.screenshot({ path: join(options.screenshots, `${name}-${device}-${colorScheme}.png`), fullPage: true });
        assert(await fitsItsWindow(page), `${name} is wider than the window of a ${device}`);
      }
      await context.close();
    }
  }
}

async function run(browser) {
  const first = await tab(await visitor(browser));
  let film;

  await check("the list shows films", async () => {
    const answer = await first.goto(options.url);
    assert.equal(answer.status(), 200);
    assert((await first.locator(".grid .card").count()) >= 10, "fewer than ten films");
    assert.notEqual(await first.locator("h1").textContent(), "");
  });

  await check("a further page of the list shows other films", async () => {
    const names = () => first.locator(".card-title").allTextContents();
    const before = await names();
    await first.locator("a[rel=next]").click();
    await first.waitForURL((url) => url.search !== "");
    const after = await names();
    assert(after.length > 0 && !after.includes(before[0]), "the same films again");
    await first.goto(options.url);
  });

  await check("a film opens from the list", async () => {
    const card = first.locator(".grid .card").first();
    const title = (await card.locator(".card-title").textContent()).trim();
    film = await card.getAttribute("href");
    await card.click();
    await first.waitForURL(options.url + film);
    assert.equal((await first.locator("h1").textContent()).trim(), title);
    assert.equal((await counts(first)).length, 10);
  });

  await check("a name can be picked by keyboard", async () => {
    await first.locator("header a", { hasText: "name" }).first().focus();
    await first.keyboard.press("Enter");
    await first.waitForURL((url) => url.pathname === "/name");
    await first.locator("#name:focus").waitFor();
    await first.keyboard.type(VISITOR);
    await first.keyboard.press("Enter");
    await first.waitForURL(options.url + film);
    assert.match(await first.locator("header .you").textContent(), new RegExp(VISITOR));
  });

  const second = await tab(await visitor(browser));
  await second.goto(options.url + film);
  const before = await counts(first);

  await check("the stars are reached by Tab, and a key rates", async () => {
    await first.locator("h1").click();
    const atStars = () => first.evaluate(() => document.activeElement.closest(".picker") !== null);
    for (let presses = 0; presses < 30 && !(await atStars()); presses += 1) await first.keyboard.press("Tab");
    assert(await atStars(), "30 presses of Tab do not reach the stars");
    await first.keyboard.press("9");
    await shows(first, changed(before, { 9: 1 }));
    assert.equal(await first.locator(".picker input:checked").getAttribute("value"), "4.5");
  });

  await check("the histogram moves in the second tab", async () => {
    const bar = second.locator(".histogram rect").nth(8);
    await shows(second, changed(before, { 9: 1 }));
    assert(Number(await bar.getAttribute("height")) > 0, "the bar of 4.5 stars has no height");
  });

  await check("an arrow key changes the rating and counts nobody twice", async () => {
    await first.keyboard.press("ArrowLeft");
    await shows(first, changed(before, { 8: 1 }));
    await shows(second, changed(before, { 8: 1 }));
  });

  await check("the rating is still there after a reload", async () => {
    await first.reload();
    assert.equal(await first.locator(".picker input:checked").getAttribute("value"), "4");
    await shows(first, changed(before, { 8: 1 }));
  });

  await check("pages fit desktop and phone, light and dark", () => photograph(browser, { list: "/", film }));

  await check("taken back, it counts no more", async () => {
    await first.locator("[data-back]").click();
    await shows(first, before);
    await shows(second, before);
  });

  await check("without script a form rates", async () => {
    const context = await visitor(browser, { javaScriptEnabled: false });
    const page = await tab(context);
    await page.goto(options.url + film);
    const had = await counts(page);
    // The input is drawn as half a star; a click on its label is what people do.
    await page.locator(".picker label", { has: page.locator("input[value='3']") }).click();
    await page.locator("#rate input[name=name]").fill("sam");
    await page.locator("#rate .actions button").first().click();
    await page.locator("header .you", { hasText: "sam" }).waitFor();
    assert.deepEqual(await counts(page), changed(had, { 6: 1 }));
    await shows(second, changed(had, { 6: 1 }));
    await page.locator("[data-back]").click();
    await shows(second, had);
    await context.close();
  });

  await check("an unknown film is a kind 404", async () => {
    const page = await tab(await visitor(browser), { mayFail: true });
    const answer = await page.goto(`${options.url}/movies/no-such-film`);
    assert.equal(answer.status(), 404);
    assert.notEqual(await page.locator("h1").textContent(), "");
    await page.screenshot({ path: join(options.screenshots, "unknown-film.png") });
  });

  await check("no script failed, and nothing was asked of anybody else", () => assert.deepEqual(complaints, []));
}

rmSync(options.screenshots, { recursive: true, force: true });
mkdirSync(options.screenshots, { recursive: true });
const browser = await chromium.launch({
  executablePath: options.chromium,
  // Chromium's own sandbox does not work for root, as whom containers run.
  args: ["--disable-quic", "--no-first-run", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
});
try {
  await run(browser);
} catch (error) {
  console.error(error.message);
  for (const complaint of complaints) console.error(complaint);
  for (const [index, page] of pages.entries()) {
    const path = join(options.screenshots, `failure-${index + 1}.png`);
    // A page that is closed has nothing to show.
    await page.screenshot({ path }).then(() => console.error(`see ${path}`), () => {});
  }
  process.exitCode = 1;
} finally {
  await browser.close();
}
