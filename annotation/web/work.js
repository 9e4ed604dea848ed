// A rater's showings and answers; independent of the page.

const nameOf = ({ pair, repeat }) => `${pair} ${repeat}`;

export class Work {
  #answers = new Map(); // by showing, in the order given

  constructor({ showings, answers }) {
    this.showings = showings;
    this.showings.forEach((showing) => { showing.name = nameOf(showing); });
    answers.forEach((answer) => this.#answers.set(nameOf(answer), answer));
  }

  // Apply an event made here or restored from the outbox.
  apply(event) {
    const name = nameOf(event);
    if (event.kind === "answer") {
      if (!this.#answers.has(name)) this.#answers.set(name, event);
    } else if (this.#answers.get(name)?.id === event.undoes) {
      this.#answers.delete(name);
    }
  }

  get done() { return this.showings.filter((showing) => this.#answers.has(showing.name)).length; }
  get answers() { return [...this.#answers.values()]; }
  get last() { return this.answers.at(-1); }
  isAnswered(showing) { return this.#answers.has(showing.name); }
  find(event) { return this.showings.find((showing) => showing.name === nameOf(event)); }

  // The next `count` showings without an answer.
  ahead(count) {
    const open = [];
    for (const showing of this.showings) {
      if (open.length === count) break;
      if (!this.isAnswered(showing)) open.push(showing);
    }
    return open;
  }
}
