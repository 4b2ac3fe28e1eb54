// Keys, a search that answers while it is typed, and what is new in a run that goes on.
"use strict";

const $ = (selector) => document.querySelector(selector);
const page = document.body.dataset.page;
const form = $("#filters");
document.documentElement.classList.add("scripted");

// -- finding ------------------------------------------------------------------------------------

let asked = 0;

async function find(address, note = true) {
  const mine = ++asked;
  const part = new URL(address, location.href);
  part.searchParams.set("part", "found");
  const response = await fetch(part).catch(() => null);
  if (!response || !response.ok || mine !== asked) return;
  $("#found").innerHTML = await response.text();
  if (note) history.replaceState(null, "", address);
}

function wanted() {
  const given = [...new FormData(form)].filter(([, value]) => value !== "");
  const query = new URLSearchParams(given).toString();
  return query ? `/records?${query}` : "/records";
}

if (form) {
  let typing = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => find(wanted()), event.target.id === "q" ? 120 : 0);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    find(wanted()).then(() => select(0));
  });
  const last = sessionStorage.getItem("opened");
  const opened = last && rows().find((row) => row.getAttribute("href") === last);
  if (opened) opened.focus();
  sessionStorage.removeItem("opened");
}

// -- keys ---------------------------------------------------------------------------------------

function rows() {
  return [...document.querySelectorAll("a.row")];
}

function select(index) {
  const all = rows();
  if (all.length) all[Math.max(0, Math.min(all.length - 1, index))].focus();
}

function go(selector) {
  const link = $(selector);
  if (link) location.assign(link.href);
}

function leave() {
  const search = $("#q");
  if (page === "record") return go(".back");
  if (!search || document.activeElement !== search) return document.activeElement.blur();
  if (search.value) {
    search.value = "";
    return find(wanted());
  }
  select(0);
}

function move(step) {
  if (page === "record") return go(step > 0 ? "[rel=next]" : "[rel=prev]");
  const at = rows().indexOf(document.activeElement);
  select(at < 0 ? 0 : at + step);
}

const KEYS = {
  "/": () => ($("#q") ? $("#q").select() : location.assign("/records#q")),
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => page === "records" && move(1),
  ArrowUp: () => page === "records" && move(-1),
  ArrowRight: () => page === "record" && move(1),
  ArrowLeft: () => page === "record" && move(-1),
  n: () => page === "records" && go("[rel=next]"),
  p: () => page === "records" && go("[rel=prev]"),
  Escape: leave,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  const field = event.target.closest("input, select, textarea");
  const fromSearch = field && field.id === "q" && ["ArrowDown", "Escape"].includes(event.key);
  if (field && !fromSearch) return;
  if (event.target.closest("pre") && event.key.startsWith("Arrow")) return;
  if (KEYS[event.key]() !== false) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const row = event.target.closest("a.row");
  if (row) sessionStorage.setItem("opened", row.getAttribute("href"));
});

if (location.hash === "#q" && $("#q")) $("#q").focus();

// -- what is new --------------------------------------------------------------------------------

let known = null;

function renewOverview(html) {
  const content = $("#content");
  const open = [...content.querySelectorAll("details")].map((one) => one.open);
  const before = open.length;
  content.innerHTML = html;
  const all = [...content.querySelectorAll("details")];
  if (all.length === before) all.forEach((one, index) => (one.open = open[index]));
}

function tell(now) {
  const live = $("#live");
  const said = now.trouble || (now.indexing ? "indexing" : now.state === "running" ? "running" : "");
  if (page === "records" && known && now.records !== known.records && !now.indexing) {
    if (rows().includes(document.activeElement) || location.search.match(/after|before/)) {
      if (live.querySelector("button")) return;
      live.innerHTML = "<button type=\"button\">show new records</button>";
      live.firstChild.addEventListener("click", () => { find(wanted()); live.textContent = ""; });
    } else {
      find(wanted());
    }
    known.records = now.records;
  } else if (!live.querySelector("button") && live.textContent !== said) {
    live.textContent = said;
  }
}

async function look() {
  const response = document.hidden ? null : await fetch("/live").catch(() => null);
  if (response && response.ok) {
    const now = await response.json();
    if (page === "overview" && known && now.overview !== known.overview) {
      const body = await fetch("/?part=body").catch(() => null);
      if (body && body.ok) renewOverview(await body.text());
      known.overview = now.overview;
    }
    tell(now);
    known = known || now;
  }
  setTimeout(look, 1500);
}

look();
