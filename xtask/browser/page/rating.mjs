// Rating by key and click, and the histogram that moves in somebody else's tab.
import assert from "node:assert/strict";

import { changed, counts, shows, tabTo } from "../visit.mjs";

const VISITOR = "robin";

export default async function (visit) {
  const first = await visit.open("/browse");
  let film;

  await visit.check("a film opens from the list", async () => {
    const card = first.locator(".grid .card").first();
    const title = (await card.locator(".card-title").textContent()).trim();
    film = await card.getAttribute("href");
    await card.click();
    await first.waitForURL(visit.url + film);
    assert.equal((await first.locator("h1").textContent()).trim(), title);
    assert.equal((await counts(first)).length, 10);
  });

  await visit.check("a name can be picked by keyboard", async () => {
    await first.locator("header a", { hasText: "name" }).first().focus();
    await first.keyboard.press("Enter");
    await first.waitForURL((url) => url.pathname === "/name");
    await first.locator("#name:focus").waitFor();
    await first.keyboard.type(VISITOR);
    await first.keyboard.press("Enter");
    await first.waitForURL(visit.url + film);
    assert.match(await first.locator("header .you").textContent(), new RegExp(VISITOR));
  });

  const second = await visit.open(film);
  const before = await counts(first);

  await visit.check("one key rates, wherever the focus is", async () => {
    await first.locator("[data-online]:not([hidden])").waitFor();
    await first.keyboard.press("9");
    await shows(first, changed(before, { 9: 1 }));
    assert.equal(await first.locator(".picker input:checked").getAttribute("value"), "4.5");
  });

  await visit.check("the histogram moves in the second tab", async () => {
    const bar = second.locator(".histogram rect").nth(8);
    await shows(second, changed(before, { 9: 1 }));
    assert(Number(await bar.getAttribute("height")) > 0, "the bar of 4.5 stars has no height");
  });

  await visit.check("the stars are reached by Tab; an arrow changes the rating and counts nobody twice", async () => {
    await first.locator("h1").click();
    await tabTo(first, ".picker input");
    await first.keyboard.press("ArrowLeft");
    await shows(first, changed(before, { 8: 1 }));
    await shows(second, changed(before, { 8: 1 }));
  });

  await visit.check("one click rates", async () => {
    await first.locator(".picker label", { has: first.locator("input[value='3']") }).click();
    await shows(second, changed(before, { 6: 1 }));
  });

  await visit.check("keys can be switched off", async () => {
    await first.locator("[data-keys-switch]").click();
    await first.locator("h1").click();
    await first.keyboard.press("1");
    await first.keyboard.press("/");
    assert.notEqual(await first.evaluate(() => document.activeElement.id), "q");
    assert.equal(await first.locator(".picker input:checked").getAttribute("value"), "3");
    await first.locator("[data-keys-switch]").click();
  });

  await visit.check("the rating is still there after a reload, and among the visitor's own", async () => {
    await first.reload();
    assert.equal(await first.locator(".picker input:checked").getAttribute("value"), "3");
    await first.goto(`${visit.url}/ratings`);
    const row = first.locator(".mine-row").first();
    assert.equal(await row.locator(".mine-film").getAttribute("href"), film);
    assert.equal(await row.locator("[data-chosen]").textContent(), "3 stars");
  });

  await visit.check("a rating changes and goes in the list of one's own, seen in the second tab", async () => {
    const row = first.locator(".mine-row").first();
    await row.locator(".picker label", { has: first.locator("input[value='5']") }).click();
    await shows(second, changed(before, { 10: 1 }));
    await row.locator("[data-back]").click();
    await shows(second, before);
    await row.locator("[data-chosen]", { hasText: "Taken back" }).waitFor();
    await first.reload();
    assert.equal(await first.locator(".mine-row").count(), 0);
  });

  await visit.check("Delete takes a rating back", async () => {
    await first.goto(visit.url + film);
    await first.keyboard.press("7");
    await shows(second, changed(before, { 7: 1 }));
    await first.keyboard.press("Delete");
    await shows(second, before);
    await first.locator("[data-chosen]", { hasText: "Not rated" }).waitFor();
  });

  await visit.check("Delete takes back what is chosen but not yet sent, and what is sent but not yet answered", async () => {
    await first.keyboard.press("7");
    await first.keyboard.press("Delete");
    assert.equal(await first.locator(".picker input:checked").count(), 0);
    let answer;
    const held = new Promise((done) => (answer = done));
    await first.route("**/rating", async (route) => {
      await held;
      await route.continue();
    }, { times: 1 });
    const asked = first.waitForRequest("**/rating");
    await first.keyboard.press("7");
    await asked;
    await first.keyboard.press("Delete");
    answer();
    await first.locator("[data-rate]:not([aria-busy])").waitFor();
    assert.match(await first.locator("[data-chosen]").textContent(), /Not rated/);
    await first.reload();
    assert.equal(await first.locator(".picker input:checked").count(), 0);
    await shows(second, before);
  });

  await visit.check("an unknown film is a kind 404", async () => {
    const page = await visit.tab(await visit.visitor(), { mayFail: true });
    const answer = await page.goto(`${visit.url}/movies/no-such-film`);
    assert.equal(answer.status(), 404);
    assert.notEqual(await page.locator("h1").textContent(), "");
    await visit.picture(page, "unknown-film");
    await page.context().close();
  });
}
