// Requests to the server. A request that times out counts as "server unreachable".

const PATIENCE = 10000; // milliseconds

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  const content = await response.json();
  if (!response.ok) throw new Refused(response.status, content.error);
  return content;
}

export const session = () => request("GET", "/api/session");
export const signIn = (credentials) => request("POST", "/api/session", credentials);
export const signOut = () => request("DELETE", "/api/session");
export const work = () => request("GET", "/api/work");
export const send = (rater, events) => request("POST", "/api/events", { rater, events });
