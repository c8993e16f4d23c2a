// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the newest mails up to date and shows times in the browser's zone.  Every page works without it.
"use strict";

const EVERY_MS = 4000;
const SLOWEST_MS = 60000;

function localTimes(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const stamp of root.querySelectorAll("time[datetime]")) {
    stamp.title = stamp.textContent;
    stamp.textContent = format.format(new Date(stamp.dateTime));
  }
}

function entries(root) {
  return new Set(Array.from(root.querySelectorAll("[data-entry]"), (row) => row.dataset.entry));
}

// Replaces the part that moves, without closing what was opened or taking the focus from under the reader.
function swap(live, html) {
  const before = entries(live);
  const opened = new Map(Array.from(live.querySelectorAll("details[id]"), (part) => [part.id, part.open]));
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  const row = focused && focused.closest("[data-entry]");
  const wanted = row && { entry: row.dataset.entry, tag: focused.tagName.toLowerCase() };
  const fresh = new DOMParser().parseFromString(html, "text/html");
  localTimes(fresh);
  live.replaceChildren(...fresh.body.childNodes);
  for (const part of live.querySelectorAll("details[id]")) {
    if (opened.has(part.id)) part.open = opened.get(part.id);
  }
  if (wanted) {
    const again = live.querySelector(`[data-entry="${wanted.entry}"] ${wanted.tag}`);
    if (again) again.focus({ preventScroll: true });
  }
  return Array.from(entries(live)).filter((entry) => !before.has(entry)).length;
}

function keepUpToDate(live, news) {
  let pause = EVERY_MS;
  let tag = "";
  let isFirst = true;
  async function look() {
    if (document.hidden) return EVERY_MS;
    const answer = await fetch(live.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 401) {
      news.textContent = news.dataset.out;
      return 0;
    }
    if (answer.status === 304) return EVERY_MS;
    if (!answer.ok) throw new Error(String(answer.status));
    tag = answer.headers.get("ETag") || "";
    const count = swap(live, await answer.text());
    if (news.textContent === news.dataset.lost) news.textContent = "";
    if (count && !isFirst) news.textContent = count === 1 ? news.dataset.one : news.dataset.many.replace("#", String(count));
    isFirst = false;
    return EVERY_MS;
  }
  async function turn() {
    try {
      pause = await look();
    } catch {
      news.textContent = news.dataset.lost;
      pause = Math.min(SLOWEST_MS, pause * 2);
    }
    if (pause) setTimeout(turn, pause);
  }
  setTimeout(turn, EVERY_MS);
}

localTimes(document);
const live = document.querySelector("[data-live]");
if (live) keepUpToDate(live, document.getElementById("news"));
