// The page to try an API, as people use it: finds a method, sends a request, reads a refusal, watches
// a stream, all of it by keyboard and on a phone as well. Asks the rating service of a running Movies:
//
//   node docs.mjs --url http://127.0.0.1:8082 --chromium PATH --driver FOLDER --screenshots FOLDER
//
// Every check is a line; the first that fails ends the run with status 1.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
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
mkdirSync(options.screenshots, { recursive: true });

const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const GET = "#RatingService_GetAggregatedRating";
const PUT = "#RatingService_PutRating";
const WATCH = "#RatingService_WatchRatings";

const complaints = [];
const browser = await chromium.launch({ executablePath: options.chromium, args: ["--no-sandbox"] });

// A tab whose errors, and whose requests to anywhere else, are complaints. A refusal is none.
async function open(settings = {}, hash = "") {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...settings });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`script error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().includes("Failed to load resource")) complaints.push(message.text());
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(options.url).origin) complaints.push(`a request to ${url.origin}`);
  });
  await page.goto(`${options.url}/${hash}`);
  await page.locator(".method").first().waitFor();
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

const shot = (page, name) => page.screenshot({ path: join(options.screenshots, `docs-${name}.png`) });

async function fill(method, values) {
  for (const [label, value] of Object.entries(values)) await method.getByLabel(label).fill(value);
}

const film = { record_type: "movie", record_id: "metropolis-1927" };

try {
  await check("the root leads to the page, which lists the methods", async () => {
    const page = await open();
    assert.equal(new URL(page.url()).pathname, "/docs");
    for (const id of [GET, PUT, WATCH]) assert(await page.locator(id).isVisible(), id);
    await shot(page, "light");
    await page.keyboard.press("/");
    await page.keyboard.type("watch");
    assert(await page.locator(WATCH).isVisible());
    assert(await page.locator(PUT).isHidden(), "what does not match is hidden");
  });
  await check("a request is sent by keyboard, and its answer shown with time and headers", async () => {
    const page = await open();
    const method = page.locator(GET);
    await method.locator(":scope > summary").focus();
    await page.keyboard.press("Enter");
    await fill(method, film);
    await method.getByLabel("record_id").press("Control+Enter");
    await method.locator(".status.good").waitFor();
    assert.match(await method.locator(".answer .line").textContent(), /200.*ms.*bytes/);
    assert.match(await method.locator(".answer pre").first().textContent(), /"aggregate"/);
    assert.match(await method.locator(".answer details").textContent(), /content-type: application\/json/);
    assert.match(await method.locator(".curl pre").textContent(), /^curl '.*\/v1\/ratings\/movie\/metropolis-1927'$/);
  });
  await check("a refusal reads as a problem", async () => {
    const page = await open({ colorScheme: "dark" }, `docs${PUT}`);
    const method = page.locator(PUT);
    await fill(method, { ...film, user_id: "ann" });
    assert.match(await method.getByLabel("idempotency-key").inputValue(), /^[0-9a-f]{32}$/);
    assert.deepEqual(JSON.parse(await method.getByLabel("Body").inputValue()), { value: 1 });
    await method.getByRole("button", { name: "Send" }).click();
    await method.locator(".status.bad").waitFor();
    assert.match(await method.locator(".answer pre").first().textContent(), /"UNAUTHENTICATED"[^]*"traceId"/);
    await shot(page, "dark");
  });
  await check("events are shown as they come, until one stops", async () => {
    const page = await open({}, `docs${WATCH}`);
    const method = page.locator(WATCH);
    await fill(method, film);
    await method.getByRole("button", { name: "Send" }).click();
    await method.locator(".events li").first().waitFor();
    await shot(page, "events");
    await method.getByRole("button", { name: "Stop" }).click();
    await method.getByText(/^Stopped after/).waitFor();
    assert(await method.locator(".events li").first().isVisible(), "what came stays");
  });
  await check("it fits a phone", async () => {
    const page = await open({ viewport: PHONE, isMobile: true, hasTouch: true, colorScheme: "dark" }, `docs${PUT}`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert(wider <= 0, `it is ${wider} pixels too wide`);
    await shot(page, "phone");
  });
  assert.deepEqual(complaints, []);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
}
