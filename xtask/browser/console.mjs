// The operators' page, as operators use it: sees who is there and who is behind, finds what failed for
// good, looks before it sends it again, mends it, removes it; by keyboard, at night and on a phone.
// Wants a running Movies with two posters that were refused:
//
//   node console.mjs --url http://127.0.0.1:8089 --chromium PATH --driver FOLDER --screenshots FOLDER
//
// Every check is a line; the first that fails ends the run with status 1.
import assert from "node:assert/strict";
import process from "node:process";

import { PHONE, Visit, options, tabTo } from "./visit.mjs";

const DEAD = "/dead/posters.poster-makers.dlq";

const visit = await Visit.start(options("url", "chromium", "driver", "screenshots"));

// How many pixels wider than its window a page is.
function wider(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

// A page whose run has ended.
async function ended(page) {
  await page.locator("[data-panel=run] form").waitFor({ state: "detached" });
  return page.locator("[data-panel=run] [role=status]").textContent();
}

try {
  await visit.check("the overview shows services, groups, dead letters and queues, live", async () => {
    const page = await visit.open("/");
    await page.locator(".live.on").waitFor();
    for (const service of ["broker", "console", "poster", "rating"]) {
      const row = page.locator("[data-panel=services] tr", { has: page.locator(`th:text-is("${service}")`) });
      await row.locator(".mark.good").waitFor();
    }
    await page.locator("[data-panel=groups]").getByText("rating-aggregator").waitFor();
    await page.locator("[data-panel=queues]").getByText("mail-senders").waitFor();
    await page.locator(`[data-panel=dead] a[href="${DEAD}"]`).waitFor();
    assert.equal(await page.locator("#dead .number").nth(3).textContent(), "2", "two wait");
    await visit.picture(page, "console-light", { fullPage: true });
  });
  await visit.check("whoever stands in a panel with the keyboard stays there when it comes anew", async () => {
    const page = await visit.open("/");
    await page.locator(".live.on").waitFor();
    const group = "/groups/ratings/rating-aggregator";
    await tabTo(page, `a[href="${group}"]`);
    const state = page.locator(`[data-panel=groups] tr:has(a[href="${group}"]) .mark`);
    for (const [act, word] of [["pause", "paused"], ["resume", "reads"]]) {
      const began = Date.now();
      await page.request.post(`${visit.url}${group}/${act}`, { headers: { "sec-fetch-site": "same-origin" } });
      await state.getByText(word).waitFor();
      assert(Date.now() - began < 5_000, `${word} after ${Date.now() - began} ms`);
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), group);
    }
  });
  await visit.check("letters are sent again by keyboard, after a look at what would be done", async () => {
    const page = await visit.open("/", { colorScheme: "dark" });
    await tabTo(page, `a[href="${DEAD}"]`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /poster-makers/ }).waitFor();
    assert.match(await page.locator(".errors").textContent(), /it is no PNG that can be read/);
    await visit.picture(page, "console-dead-dark");
    await tabTo(page, "button.button");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Send 2 again?" }).waitFor();
    await visit.picture(page, "console-really-dark");
    // The button has the focus.
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /Sending again/ }).waitFor();
    assert.match(await ended(page), /2 of 2.*: done/);
    await visit.picture(page, "console-run-dark");
  });
  await visit.check("what fails once more comes back, and says so", async () => {
    const page = await visit.open(DEAD);
    for (let tries = 0; (await page.getByText("died again").count()) < 2; tries += 1) {
      assert(tries < 100, "they did not come back");
      await new Promise((done) => setTimeout(done, 100));
      await page.reload();
    }
    assert.match(await page.locator("main").textContent(), /2 wait, 2 were sent again/);
  });
  await visit.check("a letter is mended, and what is no JSON is refused beside it", async () => {
    const page = await visit.tab(await visit.visitor(), { mayFail: true });
    await page.goto(visit.url + DEAD);
    await page.locator("tbody a").first().click();
    await page.getByRole("heading", { name: "How it failed" }).waitFor();
    const text = page.getByLabel("What will be sent again");
    const said = await text.inputValue();
    await text.fill(said.slice(0, -1));
    await page.getByRole("button", { name: "Keep this" }).click();
    assert.match(await page.getByRole("alert").textContent(), /this is no JSON/);
    assert.equal(await text.inputValue(), said.slice(0, -1), "nobody types it twice");
    await text.fill(said.replace(/"mediaType": *"[^"]*"/, '"mediaType": "image/jpeg"'));
    await page.getByRole("button", { name: "Keep this" }).click();
    await page.getByRole("heading", { name: /as it was mended/ }).waitFor();
    await visit.picture(page, "console-letter-light", { fullPage: true });
    await page.getByRole("button", { name: "Send again as it was kept" }).click();
    assert.match(await ended(page), /1 of 1.*: done/);
  });
  await visit.check("what is removed is gone, after two questions", async () => {
    const page = await visit.open(DEAD);
    for (let tries = 0; !/2 wait/.test(await page.locator("main").textContent()); tries += 1) {
      assert(tries < 100, "the mended one did not come back");
      await new Promise((done) => setTimeout(done, 100));
      await page.reload();
    }
    assert.match(await page.locator(".errors").textContent(), /announced as image\/jpeg/, "the mended payload was sent");
    await page.locator("tbody a").first().click();
    page.once("dialog", (dialog) => dialog.dismiss());
    await page.getByRole("button", { name: "Remove" }).click();
    assert(await page.getByRole("button", { name: "Remove" }).isVisible(), "no is no");
    await page.goto(visit.url + DEAD);
    await page.getByRole("button", { name: "Remove …" }).click();
    await page.getByRole("heading", { name: "Remove 2?" }).waitFor();
    await page.getByRole("button", { name: "Remove them" }).click();
    assert.match(await ended(page), /2 of 2.*: done/);
    await page.goto(visit.url + DEAD);
    await page.getByText("No letter waits here.").waitFor();
  });
  await visit.check("a group is stopped and goes on", async () => {
    const page = await visit.open("/groups/ratings/rating-aggregator");
    await page.getByRole("button", { name: "Stop reading" }).click();
    await page.getByText("paused").waitFor();
    await page.getByRole("button", { name: "Go on reading" }).click();
    await page.getByRole("button", { name: "Stop reading" }).waitFor();
  });
  await visit.check("the audit has a line for each", async () => {
    const page = await visit.open("/audit");
    const text = await page.locator("tbody").textContent();
    for (const what of ["redrive", "edit", "purge", "pause", "resume"]) assert(text.includes(what), what);
    await visit.picture(page, "console-audit-light");
  });
  await visit.check("it fits a phone", async () => {
    for (const path of ["/", DEAD, "/audit", "/runs/1", "/groups/ratings/rating-aggregator"]) {
      const page = await visit.open(path, { viewport: PHONE, isMobile: true, hasTouch: true, colorScheme: "dark" });
      assert((await wider(page)) <= 0, `${path} is ${await wider(page)} pixels too wide`);
      if (path === "/") await visit.picture(page, "console-phone");
    }
  });
  await visit.check("it weighs little", async () => {
    const page = await visit.tab(await visit.visitor());
    let weight = 0;
    page.on("response", async (response) => {
      if (response.url().endsWith("/events")) return;
      const sizes = await response.request().sizes().catch(() => null);
      weight += sizes ? sizes.responseBodySize + sizes.responseHeadersSize : 0;
    });
    await page.goto(`${visit.url}/`);
    await page.locator(".live.on").waitFor();
    await new Promise((done) => setTimeout(done, 200));
    assert(weight < 20_000, `${weight} bytes`);
    return `${weight} bytes`;
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
