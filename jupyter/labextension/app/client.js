// The server's side, asked with JupyterLab's own login.

/** Something that the server refused, or that did not come. */
export class Refused extends Error {}

export class Client {
  constructor(ServerConnection) {
    this.connection = ServerConnection;
    this.settings = ServerConnection.makeSettings();
  }

  async #request(path, method, body, signal) {
    const url = new URL(`podline/${path}`, this.settings.baseUrl).href;
    const options = { method, signal };
    if (body !== undefined) options.body = JSON.stringify(body);
    let response;
    try {
      response = await this.connection.makeRequest(url, options, this.settings);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Refused(`The Jupyter server does not answer: ${error.message}. Is it running?`);
    }
    if (response.ok) return response;
    const told = await response.json().catch(() => ({}));
    const missing = "The server has no podline: install podline-jupyter in its environment.";
    const plain = response.status === 404 ? missing : `The server answers ${response.status}.`;
    throw new Refused(told.message || plain);
  }

  /** The answer to a question. */
  async get(path) {
    return (await this.#request(path, "GET")).json();
  }

  /** The answer to a wish. */
  async post(path, body = {}) {
    return (await this.#request(path, "POST", body)).json();
  }

  async remove(path) {
    await this.#request(path, "DELETE");
  }

  /** The objects of an answer, each as its line comes; `signal` breaks it off. */
  async *lines(path, signal) {
    const response = await this.#request(path, "GET", undefined, signal);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const part of parts) if (part) yield JSON.parse(part);
    }
  }
}
