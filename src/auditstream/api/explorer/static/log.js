// The log page: a range chosen in the histogram, and events as they arrive.
"use strict";

const MOST_ENTRIES = 500;

function rangeSelector(chart) {
  const bars = [...chart.querySelectorAll(".bar")];
  const picture = chart.querySelector("svg");
  const handles = [chart.querySelector("#from"), chart.querySelector("#to")];
  const apply = chart.querySelector("#apply");
  const told = chart.querySelector("#range");
  let from = 0;
  let to = bars.length - 1;
  let start = null;

  const show = () => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    bars.forEach((bar, place) => bar.classList.toggle("out", place < low || place > high));
    handles[0].value = low;
    handles[1].value = high;
    for (const [handle, place] of [[handles[0], low], [handles[1], high]]) {
      handle.setAttribute("aria-valuetext", bars[place].dataset.label);
    }
    told.textContent = `${bars[low].dataset.since.replace("T", " ")} to ${bars[high].dataset.until.replace("T", " ")} UTC`;
    apply.hidden = false;
  };
  const go = () => {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    const target = new URL(bars[low].dataset.href, location.href);
    target.searchParams.set("until", bars[high].dataset.until);
    location.assign(target);
  };
  const placeOf = (event) => {
    const box = picture.getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
    return Math.max(0, Math.min(bars.length - 1, place));
  };

  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    start = from = to = placeOf(event);
    show();
  });
  picture.addEventListener("pointermove", (event) => {
    if (start === null) return;
    to = placeOf(event);
    show();
  });
  picture.addEventListener("pointerup", () => {
    if (start === null) return;
    start = null;
    go();
  });
  handles[0].addEventListener("input", () => {
    from = Math.min(Number(handles[0].value), Number(handles[1].value));
    to = Number(handles[1].value);
    show();
  });
  handles[1].addEventListener("input", () => {
    to = Math.max(Number(handles[0].value), Number(handles[1].value));
    from = Number(handles[0].value);
    show();
  });
  for (const handle of handles) {
    handle.addEventListener("keydown", (event) => {
      if (event.key === "Enter") go();
    });
  }
  apply.addEventListener("click", go);
  chart.querySelector(".sliders").hidden = false;
}

function liveLog(button, log, news) {
  let source = null;
  let unsaid = 0;
  let timer = null;

  const say = () => {
    timer = null;
    news.textContent = unsaid === 1 ? "1 new event" : `${unsaid} new events`;
    unsaid = 0;
  };
  const dayOf = (entry) => {
    for (const day of log.querySelectorAll(".day")) {
      if (day.dataset.day === entry.dataset.day) return day;
    }
    const day = document.createElement("section");
    day.className = "day";
    day.dataset.day = entry.dataset.day;
    const title = document.createElement("h2");
    const moment = new Date(`${entry.dataset.day}T00:00:00Z`);
    title.textContent = moment.toLocaleDateString("en-GB", {weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC"});
    const list = document.createElement("ol");
    list.className = "entries card";
    day.append(title, list);
    const later = [...log.querySelectorAll(".day")].find((other) => other.dataset.day < day.dataset.day);
    log.insertBefore(day, later || null);
    return day;
  };
  const add = (message) => {
    const parsed = new DOMParser().parseFromString(message.data, "text/html");
    const entry = document.importNode(parsed.querySelector(".entry"), true);
    if (log.querySelector(`[data-id="${CSS.escape(entry.dataset.id)}"]`)) return;
    log.querySelector(".empty")?.remove();
    entry.classList.add("new");
    const list = dayOf(entry).querySelector(".entries");
    const at = (item) => item.querySelector("time").dateTime;
    const earlier = [...list.children].find((other) => at(other) <= at(entry));
    list.insertBefore(entry, earlier || null);
    const entries = log.querySelectorAll(".entry");
    if (entries.length > MOST_ENTRIES) entries[entries.length - 1].remove();
    unsaid += 1;
    timer ??= setTimeout(say, 1000);
  };
  const open = () => {
    source = new EventSource(button.dataset.stream);
    source.addEventListener("event", add);
    source.addEventListener("open", () => button.classList.add("open"));
    source.addEventListener("error", () => button.classList.remove("open"));
    button.setAttribute("aria-pressed", "true");
  };
  const close = () => {
    source.close();
    button.classList.remove("open");
    button.setAttribute("aria-pressed", "false");
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-pressed") === "true") close();
    else open();
  });
  addEventListener("pagehide", () => source.close());
  open();
}

const chart = document.getElementById("chart");
if (chart) rangeSelector(chart);
const live = document.getElementById("live");
if (live) liveLog(live, document.getElementById("log"), document.getElementById("news"));
