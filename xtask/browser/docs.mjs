// The page to try an API, as people use it: finds a method, sends a request, reads a refusal, watches
// a stream, all of it by keyboard and on a phone as well. Asks the rating service of a running Movies:
//
//   node docs.mjs --url http://127.0.0.1:8082 --chromium PATH --driver FOLDER --screenshots FOLDER
//
// Every check is a line; the first that fails ends the run with status 1.
import assert from "node:assert/strict";
import process from "node:process";

import { PHONE, Visit, options } from "./visit.mjs";

const GET = "#RatingService_GetAggregatedRating";
const PUT = "#RatingService_PutRating";
const WATCH = "#RatingService_WatchRatings";

const visit = await Visit.start(options("url", "chromium", "driver", "screenshots"));

// The page, once it has drawn its methods. It may be refused what it asks for.
async function open(settings = {}, path = "/") {
  const page = await visit.tab(await visit.visitor({ reducedMotion: "reduce", ...settings }), { mayFail: true });
  await page.goto(visit.url + path);
  await page.locator(".method").first().waitFor();
  return page;
}

async function fill(method, values) {
  for (const [label, value] of Object.entries(values)) await method.getByLabel(label).fill(value);
}

const film = { record_type: "movie", record_id: "metropolis-1927" };

try {
  await visit.check("the root leads to the page, which lists the methods", async () => {
    const page = await open();
    assert.equal(new URL(page.url()).pathname, "/docs");
    for (const id of [GET, PUT, WATCH]) assert(await page.locator(id).isVisible(), id);
    await visit.picture(page, "docs-light");
    await page.keyboard.press("/");
    await page.keyboard.type("watch");
    assert(await page.locator(WATCH).isVisible());
    assert(await page.locator(PUT).isHidden(), "what does not match is hidden");
  });
  await visit.check("a request is sent by keyboard, and its answer shown with time and headers", async () => {
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
  await visit.check("a refusal reads as a problem", async () => {
    const page = await open({ colorScheme: "dark" }, `/docs${PUT}`);
    const method = page.locator(PUT);
    await fill(method, { ...film, user_id: "ann" });
    assert.match(await method.getByLabel("idempotency-key").inputValue(), /^[0-9a-f]{32}$/);
    assert.deepEqual(JSON.parse(await method.getByLabel("Body").inputValue()), { value: 1 });
    await method.getByRole("button", { name: "Send" }).click();
    await method.locator(".status.bad").waitFor();
    assert.match(await method.locator(".answer pre").first().textContent(), /"UNAUTHENTICATED"[^]*"traceId"/);
    await visit.picture(page, "docs-dark");
  });
  await visit.check("events are shown as they come, until one stops", async () => {
    const page = await open({}, `/docs${WATCH}`);
    const method = page.locator(WATCH);
    await fill(method, film);
    await method.getByRole("button", { name: "Send" }).click();
    await method.locator(".events li").first().waitFor();
    await visit.picture(page, "docs-events");
    await method.getByRole("button", { name: "Stop" }).click();
    await method.getByText(/^Stopped after/).waitFor();
    assert(await method.locator(".events li").first().isVisible(), "what came stays");
  });
  await visit.check("it fits a phone", async () => {
    const page = await open({ viewport: PHONE, isMobile: true, hasTouch: true, colorScheme: "dark" }, `/docs${PUT}`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert(wider <= 0, `it is ${wider} pixels too wide`);
    await visit.picture(page, "docs-phone");
  });
  await visit.check("no script failed, and nothing was asked of anybody else", () =>
    assert.deepEqual(visit.complaints, []),
  );
} catch (error) {
  console.error(error.message);
  for (const complaint of visit.complaints) console.error(complaint);
  process.exitCode = 1;
} finally {
  await visit.browser.close();
}
