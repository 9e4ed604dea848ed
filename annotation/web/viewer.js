// Viewer that compares two photos: side by side, flickering or under a slider, zoomed and panned
// together.

const LARGEST = 8; // device pixels per photo pixel
const FILL = 2; // small photos are enlarged up to this many CSS pixels per photo pixel
const STEP = Math.SQRT2;
const SAME = 1.01; // scales closer than this factor are the same

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export class Viewer {
  mode = "side";
  #stage;
  #panes = {};
  #divider;
  #showing = null;
  #scale = 1; // CSS pixels per photo pixel
  #fit = 1;
  #center = { x: 0, y: 0 }; // the photo's point in the middle of each pane
  #isFitted = true;
  #position = 50; // of the divider, percent
  #isHeld = false;
  #largestPercent = 0;
  #pointers = new Map();
  #drag = null;

  // Callbacks: zoomed({percent, fitted}), moved(position), wantsFull().
  constructor(stage, { zoomed, moved, wantsFull }) {
    this.#stage = stage;
    this.zoomed = zoomed;
    this.moved = moved;
    this.wantsFull = wantsFull;
    this.#divider = stage.querySelector("#divider");
    for (const pane of stage.querySelectorAll("figure")) {
      this.#panes[pane.dataset.side] = pane;
    }
    new ResizeObserver(() => this.#layOut()).observe(stage);
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      stage.addEventListener(end, (event) => this.#up(event));
    }
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("dblclick", (event) => this.toggle(this.#pointOf(event)));
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  // showing: from the server; sides: {before, after}, each [display, crop] as images;
  // captions: {before, after}.
  show(showing, sides, captions) {
    this.#showing = showing;
    this.#largestPercent = 0;
    this.#isHeld = false;
    for (const [side, pane] of Object.entries(this.#panes)) {
      const shown = side === showing.after_side ? "after" : "before";
      const [display, crop] = sides[shown];
      const [left, top, width, height] = showing.crop;
      crop.style.left = `${(left / showing.width) * 100}%`;
      crop.style.top = `${(top / showing.height) * 100}%`;
      crop.style.width = `${(width / showing.width) * 100}%`;
      crop.style.height = `${(height / showing.height) * 100}%`;
      pane.dataset.shown = shown;
      pane.querySelector(".photo").replaceChildren(display, crop);
      pane.querySelector("figcaption").textContent = captions[shown];
    }
    this.#isFitted = true;
    this.#layOut();
  }

  clear() {
    this.#showing = null;
    for (const pane of Object.values(this.#panes)) {
      pane.querySelector(".photo").replaceChildren();
      pane.querySelector("figcaption").textContent = "";
    }
  }

  // Insert the full photos between the display copies and the crops.
  addFull(showing, images) {
    if (showing !== this.#showing) return;
    for (const pane of Object.values(this.#panes)) {
      const photo = pane.querySelector(".photo");
      if (photo.children.length === 2) photo.children[0].after(images[pane.dataset.shown]);
    }
  }

  // How the photos were viewed, for the record.
  get settings() {
    return { mode: this.mode, after: this.#showing.after_side, zoom: `${this.#largestPercent}` };
  }

  setMode(mode) {
    this.mode = mode;
    this.#stage.dataset.mode = mode;
    this.#isHeld = false;
    this.#layOut();
  }

  // Flicker: shows the other photo while held.
  hold(isHeld) {
    this.#isHeld = isHeld;
    this.#draw();
  }

  slide(position) {
    this.#position = clamp(position, 0, 100);
    this.moved(this.#position);
    this.#draw();
  }

  slideBy(percent) { this.slide(this.#position + percent); }

  // Toggle between 100 % (or the next clearly larger step) and the whole photo.
  toggle(point) {
    if (!this.#showing) return;
    if (!this.#isFitted) {
      this.#isFitted = true;
      this.#layOut();
      return;
    }
    let scale = 1 / devicePixelRatio;
    while (scale < this.#fit * 1.25) scale *= 2;
    const [left, top, width, height] = this.#showing.crop;
    this.#center = point ?? { x: left + width / 2, y: top + height / 2 };
    this.#setScale(scale);
  }

  zoomBy(steps) { if (this.#showing) this.#setScale(this.#scale * STEP ** steps); }

  // Pan by CSS pixels.
  panBy(x, y) {
    this.#center.x += x / this.#scale;
    this.#center.y += y / this.#scale;
    this.#draw();
  }

  get isFitted() { return this.#isFitted; }

  #setScale(scale, { x = 0, y = 0 } = {}) {
    // Keep the point at (x, y), relative to the middle of its pane in CSS pixels, in place.
    const before = this.#scale;
    this.#scale = clamp(scale, this.#fit, Math.max(LARGEST / devicePixelRatio, this.#fit));
    this.#center.x += x / before - x / this.#scale;
    this.#center.y += y / before - y / this.#scale;
    this.#isFitted = this.#scale < this.#fit * SAME;
    this.#draw();
  }

  // Lay out the panes; find the scale at which the whole photo fits.
  #layOut() {
    if (!this.#showing) return;
    const { clientWidth, clientHeight } = this.#stage;
    const { width, height } = this.#showing;
    const fit = (w, h) => Math.min(w / width, h / height, FILL);
    const gap = 6;
    const sideBySide = fit((clientWidth - gap) / 2, clientHeight);
    const stacked = fit(clientWidth, (clientHeight - gap) / 2);
    let boxes = { left: [0, 0, 1, 1], right: [0, 0, 1, 1] };
    if (this.mode !== "side") {
      this.#fit = fit(clientWidth, clientHeight);
    } else if (sideBySide >= stacked) {
      this.#fit = sideBySide;
      boxes = { left: [0, 0, 0.5, 1], right: [0.5, 0, 0.5, 1] };
    } else {
      this.#fit = stacked;
      boxes = { left: [0, 0, 1, 0.5], right: [0, 0.5, 1, 0.5] };
    }
    for (const [side, pane] of Object.entries(this.#panes)) {
      const [left, top, w, h] = boxes[side];
      const half = { x: w < 1 ? gap / 2 : 0, y: h < 1 ? gap / 2 : 0 };
      pane.style.left = `${left * clientWidth + (left ? half.x : 0)}px`;
      pane.style.top = `${top * clientHeight + (top ? half.y : 0)}px`;
      pane.style.width = `${w * clientWidth - half.x}px`;
      pane.style.height = `${h * clientHeight - half.y}px`;
    }
    this.#isFitted ||= this.#scale < this.#fit * SAME;
    if (this.#isFitted) this.#scale = this.#fit;
    this.#draw();
  }

  #draw() {
    if (!this.#showing) return;
    const { width, height } = this.#showing;
    const scale = this.#scale;
    const { clientWidth, clientHeight } = this.#panes.left;
    const reach = (size, room) => Math.min(room / 2 / scale, size / 2);
    this.#center.x = clamp(this.#center.x, reach(width, clientWidth), width - reach(width, clientWidth));
    this.#center.y = clamp(this.#center.y, reach(height, clientHeight), height - reach(height, clientHeight));
    // Align to whole device pixels; otherwise 100 % is blurred.
    const snap = (value) => Math.round(value * devicePixelRatio) / devicePixelRatio;
    const percent = Math.round(scale * devicePixelRatio * 100);
    for (const [side, pane] of Object.entries(this.#panes)) {
      const { style } = pane.querySelector(".photo");
      style.width = `${width * scale}px`;
      style.height = `${height * scale}px`;
      style.left = `${snap(clientWidth / 2 - this.#center.x * scale)}px`;
      style.top = `${snap(clientHeight / 2 - this.#center.y * scale)}px`;
      style.imageRendering = percent >= 300 && !this.#isFitted ? "pixelated" : "auto";
      const isOther = (pane.dataset.shown === "before") === this.#isHeld;
      pane.style.visibility = this.mode === "flicker" && !isOther ? "hidden" : "visible";
      pane.style.clipPath =
        this.mode === "slider" && side === "right" ? `inset(0 0 0 ${this.#position}%)` : "";
    }
    this.#divider.style.left = `${this.#position}%`;
    this.#stage.dataset.zoomed = String(!this.#isFitted);
    this.#largestPercent = Math.max(this.#largestPercent, percent);
    this.zoomed({ percent, fitted: this.#isFitted });
    const display = this.#panes.left.querySelector(".photo img");
    if (display && scale * devicePixelRatio * width > display.naturalWidth * 1.05) this.wantsFull();
  }

  // Position of an event relative to the middle of its pane.
  #offsetOf({ clientX, clientY }) {
    let pane = this.#panes.left;
    for (const other of Object.values(this.#panes)) {
      const box = other.getBoundingClientRect();
      if (clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom) {
        pane = other;
      }
    }
    const box = pane.getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  }

  #pointOf(event) {
    const { x, y } = this.#offsetOf(event);
    return { x: this.#center.x + x / this.#scale, y: this.#center.y + y / this.#scale };
  }

  #down(event) {
    if (!this.#showing || event.button !== 0) return;
    this.#stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, event);
    const box = this.#stage.getBoundingClientRect();
    const fromDivider = Math.abs(event.clientX - box.left - (box.width * this.#position) / 100);
    const slides = this.mode === "slider" && (this.#isFitted || fromDivider < 28);
    this.#drag = this.#pointers.size > 1 ? "pinch" : slides ? "divider" : "pan";
    if (this.mode === "flicker") this.hold(true);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    if (this.#drag === "pinch") this.#pinch(before, event);
    this.#pointers.set(event.pointerId, event);
    if (this.#drag === "divider") {
      const box = this.#stage.getBoundingClientRect();
      this.slide(((event.clientX - box.left) / box.width) * 100);
    } else if (this.#drag === "pan") {
      this.panBy(before.clientX - event.clientX, before.clientY - event.clientY);
    }
  }

  #pinch(before, now) {
    const other = [...this.#pointers.values()].find(({ pointerId }) => pointerId !== now.pointerId);
    if (!other) return;
    const span = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = (one) => ({
      clientX: (one.clientX + other.clientX) / 2,
      clientY: (one.clientY + other.clientY) / 2,
    });
    const [from, to] = [middle(before), middle(now)];
    this.panBy(from.clientX - to.clientX, from.clientY - to.clientY);
    this.#setScale((this.#scale * span(now)) / Math.max(span(before), 1), this.#offsetOf(to));
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    this.#drag = this.#pointers.size ? "pan" : null;
    if (this.mode === "flicker") this.hold(false);
  }

  #wheel(event) {
    event.preventDefault();
    if (!this.#showing) return;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.#setScale(this.#scale * Math.exp(-event.deltaY * lines * 0.002), this.#offsetOf(event));
  }
}
