// What a first visit fetches, how soon it answers, and that nothing moves while it loads.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import { PATHS } from "./access.mjs";
import { DESKTOP, PHONE } from "../visit.mjs";

const MOST = 100_000;
// Pieces in which a page arrives over a slow connection, and milliseconds between them: more than
// a frame, so that each piece is painted.
const PIECES = 80;
const APART = 25;

// Runs in the page: notes down what moved though nobody had done anything.
function watchMoves() {
  globalThis.moved = [];
  new PerformanceObserver((list) => {
    for (const shift of list.getEntries()) {
      const what = shift.sources.map(({ node }) => node?.outerHTML?.slice(0, 60) ?? node?.nodeName ?? "something gone");
      if (!shift.hadRecentInput) globalThis.moved.push(`${shift.value.toFixed(4)}: ${what.join(", ")}`);
    }
  }).observe({ type: "layout-shift", buffered: true });
}

// Runs in the page: what has moved, once all is painted.
async function moves() {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return globalThis.moved;
}

// Runs in the page: bytes fetched, and milliseconds until the first came.
function weigh() {
  const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const sum = entries.reduce((bytes, entry) => bytes + entry.transferSize, 0);
  return [sum, entries[0].responseStart - entries[0].requestStart];
}

// The site as it comes over a slow connection: pages in pieces, the rest at once.
async function slowly(site) {
  const server = createServer(async (request, response) => {
    // A live stream lasts until the one who watches leaves.
    const left = new AbortController();
    response.on("close", () => left.abort());
    try {
      const headers = { "accept-encoding": "identity", cookie: request.headers.cookie ?? "" };
      const answer = await fetch(site + request.url, { headers, signal: left.signal });
      const body = Buffer.from(await answer.arrayBuffer());
      const type = answer.headers.get("content-type");
      response.writeHead(answer.status, { "content-type": type });
      const pieces = type.startsWith("text/html") ? PIECES : 1;
      for (let piece = 0; piece < pieces; piece += 1) {
        const [from, to] = [piece, piece + 1].map((end) => Math.floor((body.length * end) / pieces));
        response.write(body.subarray(from, to));
        if (pieces > 1) await pause(APART);
      }
      response.end();
    } catch (error) {
      if (!left.signal.aborted) response.destroy(error);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export default async function (visit) {
  for (const path of PATHS) {
    await visit.check(`${path} is light and stays where it is`, async () => {
      const notes = [];
      for (const viewport of [DESKTOP, PHONE]) {
        const page = await visit.tab(await visit.visitor({ viewport }));
        await page.addInitScript(watchMoves);
        await page.goto(visit.url + path, { waitUntil: "load" });
        const moved = await page.evaluate(moves);
        const [bytes, first] = await page.evaluate(weigh);
        assert(bytes > 0 && bytes < MOST, `${bytes} bytes`);
        assert.deepEqual(moved, []);
        notes.push(`${(bytes / 1000).toFixed(0)} kB, first byte after ${first.toFixed(0)} ms`);
        await page.context().close();
      }
      return notes[0];
    });
  }

  await visit.check("nothing moves however slowly a page arrives", async () => {
    // One who has rated sees most.
    const rater = await visit.open("/movies/metropolis-1927", { name: "casey" });
    await rater.locator(".picker label", { has: rater.locator("input[value='4']") }).click();
    await rater.locator("[data-said]", { hasText: "You gave it" }).waitFor({ state: "attached" });
    const server = await slowly(visit.url);
    try {
      for (const path of PATHS) {
        const arrive = async (viewport) => {
          const context = await visit.visitor({ viewport, name: "casey" });
          const page = await context.newPage();
          await page.addInitScript(watchMoves);
          await page.goto(`http://127.0.0.1:${server.address().port}${path}`, { waitUntil: "load" });
          assert.deepEqual(await page.evaluate(moves), [], path);
          await context.close();
        };
        await Promise.all([DESKTOP, PHONE].map(arrive));
      }
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
}
