// The rating page: sign in, show pairs one after the other, record answers.

import * as api from "./api.js";
import { newId, Outbox } from "./outbox.js";
import { Pictures } from "./pictures.js";
import { Viewer } from "./viewer.js";
import { Work } from "./work.js";

const AHEAD = 5; // pairs loaded before they are wanted
const TOO_FAST = 300; // milliseconds; nobody judges so fast, but double clicks are
const RETRY = 2000;
const PAN = 60; // CSS pixels per arrow key

const $ = (id) => document.getElementById(id);
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

let plan; // from /api/work
let work;
let outbox;
let current = null; // the showing on the screen
let ready = false; // whether its photos can be seen
let shownAt = 0;
let seen = 0; // milliseconds the pair was in sight, without the running stretch
let undone = null; // the answer just taken back
let noteTimer = 0;
const pictures = new Pictures();
const viewer = new Viewer($("stage"), {
  zoomed: ({ percent, fitted }) => { $("zoom").textContent = fitted ? `Fit ${percent} %` : `${percent} %`; },
  moved: (position) => { $("position").value = position; },
  wantsFull: () => loadFull(),
});

// --- signing in

async function start() {
  const token = tokenOf(location.hash.slice(1));
  // Remove the token from the address bar, the history and links copied from there.
  if (token) history.replaceState(null, "", location.pathname);
  for (;;) {
    try {
      if (token) await api.signIn({ token });
      const { rater, token: byToken } = await api.session();
      if (rater) await begin();
      else welcome(byToken);
      return;
    } catch (error) {
      if (error instanceof api.Refused) {
        await welcomeAgain(error.message, Boolean(token));
        return;
      }
      welcome(Boolean(token), "The server cannot be reached. Trying again …");
      await sleep(RETRY);
    }
  }
}

function tokenOf(link) {
  try {
    return decodeURIComponent(link);
  } catch { // a link that was typed wrong
    return link;
  }
}

function welcome(byToken, problem = "") {
  $("welcome").hidden = false;
  $("rating").hidden = true;
  const input = $("name");
  input.name = byToken ? "token" : "name";
  input.autocomplete = byToken ? "off" : "name";
  input.maxLength = byToken ? 200 : 60;
  document.querySelector("label[for=name]").textContent = byToken ? "Your invitation code" : "Your name";
  $("sign-in-problem").textContent = problem;
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await api.signIn({ [$("name").name]: $("name").value.trim() });
    if (outbox) location.reload(); // it holds the ratings of whoever was signed in before
    else await begin();
  } catch (error) {
    $("sign-in-problem").textContent =
      error instanceof api.Refused ? error.message : "The server cannot be reached. Please try again.";
  }
});

const signedOut = () => welcomeAgain("Please sign in again. Your ratings are kept in this browser.", false);

async function welcomeAgain(problem, guess) {
  const { token: byToken } = await api.session().catch(() => ({ token: guess }));
  welcome(byToken, problem);
}

async function begin() {
  plan = await api.work();
  const isNew = outbox === undefined;
  outbox ??= new Outbox(plan, {
    changed: showSync,
    refused: (event, reason) => reload(`Not saved: ${reason}.`),
    signedOut,
    arrived: (event) => { apply(event); refresh(); },
  });
  takeOver(plan);
  makeButtons();
  $("welcome").hidden = true;
  $("rating").hidden = false;
  $("stage").dataset.mode = viewer.mode;
  $("stage").dataset.blind = String(plan.blind);
  $("question").textContent = plan.blind
    ? "Compared with Before, the other photo is …"
    : "Compared with Before, the enhanced photo is …";
  if (isNew && work.done === 0) showHelp();
  outbox.flush();
  await next();
}

function showHelp() {
  const dialog = $("help-dialog");
  dialog.showModal();
  dialog.scrollTop = 0; // in low windows, focus on the button at its end has scrolled there
}

function takeOver(content) {
  work = new Work(content);
  outbox.events().forEach((event) => work.apply(event));
}

let changes = 0; // events kept here or arrived there: a reply that was asked for before is out of date
function apply(event) {
  changes += 1;
  work.apply(event);
}

// Answers given in another browser take precedence over this one's state.
async function reload(text) {
  note(text);
  try {
    let before;
    let content;
    do {
      before = changes;
      content = await api.work();
    } while (before !== changes);
    takeOver(content);
    refresh();
  } catch {
    // The server is unreachable; this browser's state remains valid.
  }
}

function refresh() {
  showProgress();
  if (!current || work.isAnswered(current)) next();
}

// --- showing pairs

async function next(showing = work.ahead(1)[0] ?? null) {
  current = showing;
  ready = false;
  setAnswerable(false);
  showProgress();
  if (!current) {
    viewer.clear();
    wait("All pairs are rated. Thank you!");
    $("undo").disabled = !work.last;
    showSummary();
    return;
  }
  const mine = current;
  pictures.keep([mine, ...work.ahead(AHEAD)]);
  const late = setTimeout(() => { if (mine === current) wait("Loading …"); }, 150);
  for (;;) {
    try {
      const sides = await pictures.get(mine);
      clearTimeout(late);
      if (mine === current) present(sides);
      return;
    } catch {
      if (mine !== current) return;
      wait("This pair has not loaded yet. Your ratings are kept; trying again …");
      $("skip").disabled = false;
      await sleep(RETRY);
      if (mine !== current) return;
    }
  }
}

function present(sides) {
  $("waiting").hidden = true;
  fullOf = null; // what had been loaded of this pair went with the one that followed
  const captions = { before: "Before", after: plan.blind ? "Other" : "Enhanced" };
  viewer.show(current, sides, captions);
  const [left, right] = current.after_side === "right" ? ["before", "after"] : ["after", "before"];
  $("stage").setAttribute(
    "aria-label",
    `Pair ${work.done + 1} of ${work.showings.length}: ${captions[left]} left, ${captions[right]} right`,
  );
  ready = true;
  seen = 0;
  shownAt = performance.now();
  setAnswerable(true);
}

let fullOf = null;
async function loadFull() {
  const mine = current;
  if (fullOf === mine || !mine) return;
  fullOf = mine;
  try {
    const images = await pictures.full(mine);
    if (images) viewer.addFull(mine, images);
  } catch {
    if (fullOf === mine) fullOf = null; // tried again at the next movement
  }
}

function wait(text) {
  $("waiting").textContent = text;
  $("waiting").hidden = false;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) seen += performance.now() - shownAt;
  else shownAt = performance.now();
});

// --- answering

function answer(content) {
  const lookedFor = seen + performance.now() - shownAt;
  if (!current || (ready && lookedFor < TOO_FAST) || (!ready && !content.skip)) return;
  keep({
    id: newId(),
    kind: "answer",
    pair: current.pair,
    repeat: current.repeat,
    time: new Date().toISOString(),
    seconds: ready ? Math.min(Math.round(lookedFor) / 1000, 86400) : 0,
    view: viewSettings(),
    ...content,
  }, () => {
    undone = null;
    $("stage").focus({ preventScroll: true });
    next();
  });
}

function undo() {
  const last = work.last;
  if (!last) return;
  const { id, pair, repeat } = last;
  keep({ id: newId(), kind: "undo", pair, repeat, time: new Date().toISOString(), undoes: id }, () => {
    undone = last;
    note("Undone. Please answer again.");
    $("stage").focus({ preventScroll: true }); // or Enter, held down, would take back more
    next(work.find(last));
  });
}

// Show the next pair only after the browser has stored the event.
function keep(event, then) {
  try {
    outbox.add(event);
  } catch {
    note("This browser cannot store ratings. Leave private mode or free some space, then try again.");
    return;
  }
  apply(event);
  then();
}

function viewSettings() {
  const screen = `${innerWidth}x${innerHeight}@${Number(devicePixelRatio.toFixed(2))}`;
  const settings = { ...(ready ? viewer.settings : {}), blind: plan.blind ? "yes" : "no", screen };
  return Object.entries(settings).map(([name, value]) => `${name}=${value}`).join(" ");
}

// --- progress, captions and messages

function makeButtons() {
  $("ratings").replaceChildren(...plan.ratings.map(([rating, word], i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.rating = rating;
    button.setAttribute("aria-keyshortcuts", String(i + 1));
    const key = document.createElement("kbd");
    key.textContent = String(i + 1);
    key.setAttribute("aria-hidden", "true");
    const text = document.createElement("span");
    text.textContent = capital(word);
    button.append(key, text);
    button.addEventListener("click", () => answer({ rating }));
    return button;
  }));
  $("skips").replaceChildren(...plan.skips.map((reason, i) => {
    const button = document.createElement("button");
    button.value = reason;
    const key = document.createElement("kbd");
    key.textContent = String(i + 1);
    key.setAttribute("aria-hidden", "true");
    button.append(key, capital(reason));
    return button;
  }));
  const meanings = {
    2: "clearly better at first sight",
    1: "better when you look for it",
    0: "the same, or no better and no worse",
    "-1": "worse than before",
  };
  $("meanings").replaceChildren(...plan.ratings.flatMap(([rating, word]) => {
    const [term, meaning] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = capital(word);
    meaning.textContent = meanings[rating];
    return [term, meaning];
  }));
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

function setAnswerable(isAnswerable) {
  for (const button of $("ratings").children) {
    button.disabled = !isAnswerable;
    button.dataset.chosen = String(
      isAnswerable && undone?.pair === current?.pair && undone?.repeat === current?.repeat
        && undone?.rating === Number(button.dataset.rating),
    );
  }
  $("skip").disabled = !isAnswerable;
  $("undo").disabled = !work.last;
}

function showProgress() {
  $("bar").max = work.showings.length;
  $("bar").value = work.done;
  $("count").textContent = `${work.done} of ${work.showings.length}`;
}

function showSync({ waiting, away }) {
  $("sync").dataset.waiting = String(away && waiting > 0);
  if (!away && waiting > 0) return; // on its way, for a moment
  $("sync").textContent = away && waiting ? `Server unreachable, ${waiting} kept here` : waiting ? "" : "All saved";
}

function note(text) {
  $("note").textContent = text;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { $("note").textContent = ""; }, 4000);
}

function showSummary() {
  const answers = work.answers;
  const table = document.createElement("table");
  const rows = plan.ratings.map(([rating, word]) => [word, answers.filter((a) => a.rating === rating).length]);
  rows.push(["skipped", answers.filter((a) => a.skip).length]);
  for (const [word, count] of rows) {
    const row = table.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = capital(word);
    const meter = document.createElement("meter");
    meter.max = Math.max(answers.length, 1);
    meter.value = count;
    meter.setAttribute("aria-hidden", "true");
    row.append(head);
    row.insertCell().textContent = count;
    row.insertCell().append(meter);
  }
  const seconds = answers.map((a) => a.seconds).filter((s) => s !== null).sort((a, b) => a - b);
  const text = document.createElement("p");
  text.textContent = `${plan.rater}: ${work.done} of ${work.showings.length} answered`
    + (seconds.length ? `, typically in ${seconds[seconds.length >> 1].toFixed(1)} seconds.` : ".");
  $("summary").replaceChildren(text, table);
  if (!$("summary-dialog").open) $("summary-dialog").showModal();
}

// --- controls

const setMode = (mode) => {
  viewer.setMode(mode);
  for (const button of $("modes").children) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  $("hold").hidden = mode !== "flicker";
  $("slide").hidden = mode !== "slider";
};
for (const button of $("modes").children) {
  button.addEventListener("click", () => setMode(button.dataset.mode));
}
$("position").addEventListener("input", () => viewer.slide(Number($("position").value)));
$("zoom").addEventListener("click", () => viewer.toggle());
$("zoom-in").addEventListener("click", () => viewer.zoomBy(1));
$("zoom-out").addEventListener("click", () => viewer.zoomBy(-1));
$("hold").addEventListener("pointerdown", (event) => {
  $("hold").setPointerCapture(event.pointerId);
  viewer.hold(true);
});
for (const end of ["pointerup", "pointercancel", "blur"]) {
  $("hold").addEventListener(end, () => viewer.hold(false));
}
$("undo").addEventListener("click", ({ detail }) => { if (detail < 2) undo(); }); // no double click
$("skip").addEventListener("click", askWhy);
$("help-button").addEventListener("click", showHelp);
$("summary-button").addEventListener("click", showSummary);
let asked = null; // the showing that the open dialog is about: another tab may move on meanwhile
function askWhy() {
  asked = current;
  $("skip-dialog").showModal();
}
$("skip-dialog").addEventListener("close", () => {
  const { returnValue } = $("skip-dialog");
  $("skip-dialog").returnValue = "";
  if (!returnValue) return;
  if (asked === current) answer({ skip: returnValue });
  else note("This pair has been answered in another tab; nothing was skipped.");
});
$("help-dialog").addEventListener("close", () => { // reading is not judging
  seen = 0;
  shownAt = performance.now();
});
$("summary-dialog").addEventListener("close", async () => {
  const { returnValue } = $("summary-dialog");
  $("summary-dialog").returnValue = ""; // Esc leaves it as it is
  if (returnValue !== "sign-out") return;
  if (outbox.keys().length) {
    note("Some ratings have not been sent yet. Sign out once the server can be reached.");
    return;
  }
  try {
    await api.signOut();
    location.reload();
  } catch {
    note("The server cannot be reached. Try again later.");
  }
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const LETTERS = {
  s: () => setMode("side"),
  f: () => setMode("flicker"),
  l: () => setMode("slider"),
  z: () => viewer.toggle(),
  "+": () => viewer.zoomBy(1),
  "=": () => viewer.zoomBy(1),
  "-": () => viewer.zoomBy(-1),
};
const ONCE = { // a key held down does these only once
  u: undo,
  backspace: undo,
  x: () => { if (!$("skip").disabled) askWhy(); },
  "?": showHelp,
};

// Buttons of viewing modes, on which Space flickers as it does elsewhere.
const flickers = (target) => target === $("hold") || target.parentElement === $("modes");

document.addEventListener("keydown", (event) => {
  if ($("rating").hidden) return;
  const key = event.key.toLowerCase();
  if ($("skip-dialog").open && /^[1-9]$/.test(key) && !event.repeat) {
    $("skips").children[Number(key) - 1]?.click();
    return; // the dialog is closed by now, but the key was meant for it
  }
  if (document.querySelector("dialog[open]") || event.altKey || event.metaKey) return;
  if (event.ctrlKey) {
    if (key === "z" && !event.repeat) undo();
    return;
  }
  const rating = plan.ratings[Number(key) - 1];
  if (rating && /^[1-9]$/.test(key)) {
    if (!event.repeat) answer({ rating: rating[0] });
  } else if (key === " " && (event.target.tagName !== "BUTTON" || flickers(event.target))) {
    if (viewer.mode !== "flicker") setMode("flicker");
    viewer.hold(true);
  } else if (ARROWS[event.key] && event.target.id !== "position") {
    const [x, y] = ARROWS[event.key];
    if (viewer.mode === "slider" && viewer.isFitted) viewer.slideBy(x * 4);
    else viewer.panBy(x * PAN, y * PAN);
  } else if (LETTERS[key]) {
    LETTERS[key]();
  } else if (ONCE[key]) {
    if (!event.repeat) ONCE[key]();
  } else {
    return;
  }
  event.preventDefault();
});
document.addEventListener("keyup", (event) => {
  if (event.key !== " " || viewer.mode !== "flicker") return;
  viewer.hold(false);
  if (flickers(event.target)) event.preventDefault(); // or it would be a click
});
addEventListener("blur", () => viewer.hold(false)); // a key let go elsewhere is not heard of

start();
