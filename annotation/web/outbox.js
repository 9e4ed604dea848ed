// Queue of events that the server has not confirmed yet. Each is kept in localStorage under its own
// key, so that tabs cannot overwrite each other's events, until the server confirms that it is on
// disk. Sending twice is harmless: the server identifies events by id.

import { send, Refused } from "./api.js";

const BATCH = 50;
const FIRST_WAIT = 500, LONGEST_WAIT = 10000; // milliseconds

// Made here because crypto.randomUUID is missing on plain http, which phones on a local net use.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  #rater;
  #prefix;
  #number = 0;
  #sending = false;
  #timer = 0;
  #wait = FIRST_WAIT;

  // Callbacks: changed({waiting, away}) on every change, refused(event, reason) on refusals,
  // signedOut() when the session has ended, arrived(event) when another tab has added an event.
  constructor({ pairs, rater }, { changed, refused, signedOut, arrived }) {
    this.#rater = rater;
    this.#prefix = `outbox ${pairs} ${encodeURIComponent(rater)} `; // "Ann" does not begin "Ann B"
    this.changed = changed;
    this.refused = refused;
    this.signedOut = signedOut;
    addEventListener("storage", ({ key, newValue }) => {
      if (!key?.startsWith(this.#prefix)) return;
      if (newValue) arrived(JSON.parse(newValue));
      else this.#notify(false);
    });
    addEventListener("online", () => this.flush());
    document.addEventListener("visibilitychange", () => this.flush());
  }

  // Oldest first: an answer must arrive before it is undone.
  keys() {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.#prefix)).sort();
  }

  events() {
    return this.keys().map((key) => JSON.parse(localStorage.getItem(key)));
  }

  // Throws where the browser cannot keep the event.
  add(event) {
    this.#number += 1;
    const order = `${String(Date.now()).padStart(15, "0")} ${String(this.#number).padStart(6, "0")}`;
    localStorage.setItem(`${this.#prefix}${order} ${event.id}`, JSON.stringify(event));
    this.#notify(false);
    this.flush();
  }

  async flush() {
    clearTimeout(this.#timer);
    const keys = this.keys().slice(0, BATCH);
    if (this.#sending || keys.length === 0) return;
    this.#sending = true;
    try {
      const events = keys.map((key) => JSON.parse(localStorage.getItem(key))).filter(Boolean);
      const { outcomes } = await send(this.#rater, events);
      const byId = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
      keys.forEach((key) => {
        const event = JSON.parse(localStorage.getItem(key));
        const outcome = event && byId.get(event.id);
        if (!outcome) return;
        localStorage.removeItem(key);
        if (outcome.status === "refused") this.refused(event, outcome.reason);
      });
      this.#wait = FIRST_WAIT;
      this.#notify(false);
      this.#timer = setTimeout(() => this.flush(), 0);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        this.signedOut();
        return;
      }
      this.#notify(true);
      this.#timer = setTimeout(() => this.flush(), this.#wait);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    } finally {
      this.#sending = false;
    }
  }

  #notify(away) {
    this.changed({ waiting: this.keys().length, away });
  }
}
