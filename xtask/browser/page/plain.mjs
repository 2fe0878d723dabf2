// The same without script: links and forms alone.
import assert from "node:assert/strict";

import { changed, counts, shows } from "../visit.mjs";

const PLAIN = { javaScriptEnabled: false };

export default async function (visit) {
  const page = await visit.open("/", PLAIN);
  let film;

  await visit.check("without script a search finds, and the film opens", async () => {
    await page.locator("#q").fill("nosferatu");
    await page.locator("#q").press("Enter");
    await page.waitForURL((url) => url.pathname === "/search");
    film = await page.locator(".grid .card").first().getAttribute("href");
    await page.locator(".grid .card").first().click();
    await page.waitForURL(visit.url + film);
  });

  await visit.check("without script a form rates, and others see it at once", async () => {
    const other = await visit.open(film);
    const had = await counts(page);
    // The input is drawn as half a star; a click on its label is what people do.
    await page.locator(".picker label", { has: page.locator("input[value='3']") }).click();
    await page.locator("#rate input[name=name]").fill("sam");
    await page.locator("#rate .actions button").first().click();
    await page.locator("header .you", { hasText: "sam" }).waitFor();
    assert.deepEqual(await counts(page), changed(had, { 6: 1 }));
    await shows(other, changed(had, { 6: 1 }));
    await other.context().close();
  });

  await visit.check("without script one's ratings are changed and taken back by forms", async () => {
    await page.goto(`${visit.url}/ratings`);
    const row = page.locator(".mine-row");
    await row.locator(".picker label", { has: page.locator("input[value='1.5']") }).click();
    await row.locator("button", { hasText: "Change" }).click();
    await page.locator("[data-chosen]", { hasText: "1½ stars" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/ratings");
    await row.locator("[data-back]").click();
    await page.locator("main", { hasText: "Nothing here yet" }).waitFor();
  });

  await visit.check("without script pages lead on and back, and a chart sorts by links", async () => {
    await page.goto(`${visit.url}/browse`);
    const first = await page.locator(".card-title").first().textContent();
    await page.locator("a[rel=next]").click();
    await page.locator("a[rel=next]").click();
    await page.locator(".pages", { hasText: "Page 3" }).waitFor();
    await page.locator("a[rel=prev]").click();
    await page.locator("a[rel=prev]").click();
    assert.equal(await page.locator(".card-title").first().textContent(), first);
    await page.goto(`${visit.url}/charts`);
    await page.locator("thead .of-year a").click();
    await page.locator("thead .of-year[aria-sort=descending]").waitFor();
    const years = (await page.locator("td.of-year").allTextContents()).map(Number);
    assert.deepEqual(years, [...years].sort((one, other) => other - one));
  });
  await page.context().close();
}
