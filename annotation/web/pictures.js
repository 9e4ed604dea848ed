// Preload the pictures of the next showings. Every showing has elements of its own, which the viewer
// puts into the page as they are, so that nothing is decoded twice.

const RETRY = 2000; // milliseconds

function load(url) {
  const image = new Image();
  image.alt = "";
  image.decoding = "sync";
  image.draggable = false;
  image.src = url;
  return image;
}

export class Pictures {
  #loaded = new Map(); // showing name -> promise of {before, after}, each [display, crop]

  // Keep the pictures of these showings and drop all others.
  keep(showings) {
    const names = new Set(showings.map((showing) => showing.name));
    for (const name of this.#loaded.keys()) if (!names.has(name)) this.#loaded.delete(name);
    for (const showing of showings) this.get(showing);
  }

  // Rejects if a picture cannot be loaded; a later call tries again.
  get(showing) {
    if (!this.#loaded.has(showing.name)) {
      const promise = this.#load(showing);
      promise.catch(() => setTimeout(() => {
        if (this.#loaded.get(showing.name) === promise) this.#loaded.delete(showing.name);
      }, RETRY));
      this.#loaded.set(showing.name, promise);
    }
    return this.#loaded.get(showing.name);
  }

  async #load(showing) {
    const sides = {};
    for (const side of ["before", "after"]) {
      sides[side] = [load(showing[side].display), load(showing[side].crop)];
    }
    await Promise.all([...sides.before, ...sides.after].map((image) => image.decode()));
    return sides;
  }

  // Both photos at full resolution, or null where the display copies already are.
  async full(showing) {
    if (!showing.before.full) return null;
    const images = { before: load(showing.before.full), after: load(showing.after.full) };
    await Promise.all([images.before.decode(), images.after.decode()]);
    return images;
  }
}
