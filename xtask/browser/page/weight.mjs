// What a first visit fetches, how soon it answers, and that nothing moves while it loads.
import assert from "node:assert/strict";

import { PATHS } from "./access.mjs";
import { DESKTOP, PHONE } from "../visit.mjs";

const MOST = 100_000;

export default async function (visit) {
  for (const path of PATHS) {
    await visit.check(`${path} is light and stays where it is`, async () => {
      const notes = [];
      for (const viewport of [DESKTOP, PHONE]) {
        const page = await visit.tab(await visit.visitor({ viewport }));
        await page.addInitScript(() => {
          globalThis.moved = [];
          new PerformanceObserver((list) => {
            for (const shift of list.getEntries()) {
              const what = shift.sources.map(({ node }) => node?.outerHTML?.slice(0, 60) ?? node?.nodeName ?? "something gone");
              if (!shift.hadRecentInput) globalThis.moved.push(`${shift.value.toFixed(4)}: ${what.join(", ")}`);
            }
          }).observe({ type: "layout-shift", buffered: true });
        });
        await page.goto(visit.url + path, { waitUntil: "load" });
        const [bytes, first, moved] = await page.evaluate(async () => {
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
          const sum = entries.reduce((bytes, entry) => bytes + entry.transferSize, 0);
          return [sum, entries[0].responseStart - entries[0].requestStart, globalThis.moved];
        });
        assert(bytes > 0 && bytes < MOST, `${bytes} bytes`);
        assert.deepEqual(moved, []);
        notes.push(`${(bytes / 1000).toFixed(0)} kB, first byte after ${first.toFixed(0)} ms`);
        await page.context().close();
      }
      return notes[0];
    });
  }
}
