// The methods of this address as forms, from its own description. Everything shown is made of text
// nodes: nothing that comes from the description or an answer can become markup.

const byId = (id) => document.getElementById(id);
const find = byId("find");
const token = byId("token");

// === elements

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return element;
}

let made = 0;
const freshId = (word) => `${word}-${++made}`;

// Random also where pages without TLS get no crypto.randomUUID.
function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// JSON with its parts coloured.
function coloured(text) {
  const parts = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|\b(true|false|null)\b/g;
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(parts)) {
    pieces.push(text.slice(end, match.index));
    const kind = match[2] !== undefined ? "j-name" : match[1] ? "j-text" : match[3] ? "j-number" : "j-word";
    const own = match[1] ?? match[0];
    pieces.push(make("span", { class: kind }, own), match[0].slice(own.length));
    end = match.index + match[0].length;
  }
  pieces.push(text.slice(end));
  return pieces;
}

// A list of plain values on one line, everything else on lines of its own.
function indented(value) {
  return JSON.stringify(value, null, 2).replace(/\[\n\s+((?:-?[\d.eE+]+|true|false|null)(?:,\n\s+(?:-?[\d.eE+]+|true|false|null))*)\n\s+\]/g, (_, items) => `[${items.replace(/\s+/g, " ")}]`);
}

function pretty(text, type, write = indented) {
  if (!/json/.test(type ?? "")) return [text];
  try {
    return text.length > 200_000 ? [text] : coloured(write(JSON.parse(text)));
  } catch {
    return [text];
  }
}

// A path that breaks where its parts do.
const breakable = (path) => path.split(/(?=[/:])/).flatMap((part) => [make("wbr"), part]);

// Text whose lines may break anywhere within a paragraph.
const flowing = (text) => (text ?? "").replace(/([^\n])\n(?!\n)/g, "$1 ");

// === schemas

let description = {};

function resolved(schema) {
  let found = schema ?? {};
  for (let depth = 0; found.$ref && depth < 8; depth++) {
    const { $ref, ...own } = found;
    const target = $ref.split("/").slice(1).reduce((at, name) => at?.[name.replaceAll("~1", "/")], description);
    found = { ...target, ...own };
  }
  return found;
}

const nameOf = (schema) => schema?.$ref?.split("/").pop().split(".").pop();

function kindOf(schema) {
  const whole = resolved(schema);
  if (whole.enum && whole.type === "string") return "one of";
  if (whole.type === "array") return `list of ${kindOf(whole.items)}`;
  if (whole.type === "object") {
    if (whole.additionalProperties) return `map of ${kindOf(whole.additionalProperties)}`;
    return nameOf(schema) ?? "object";
  }
  if (whole.contentEncoding) return whole.contentEncoding;
  const type = [whole.type ?? "anything"].flat().filter((one) => one !== "null").join(" or ");
  return whole.format && !["double", "float", "int32"].includes(whole.format) ? `${type} (${whole.format})` : type;
}

// What the rules say, in words.
function rulesOf(schema) {
  const { items, ...rule } = resolved(schema);
  const says = [];
  const span = (low, high, unit) => {
    if (low !== undefined && high !== undefined) says.push(low === high ? `exactly ${low}${unit}` : `${low} to ${high}${unit}`);
    else if (low !== undefined) says.push(`at least ${low}${unit}`);
    else if (high !== undefined) says.push(`at most ${high}${unit}`);
  };
  span(rule.minimum, rule.maximum === 4294967295 ? undefined : rule.maximum, "");
  if (rule.exclusiveMinimum !== undefined) says.push(`above ${rule.exclusiveMinimum}`);
  if (rule.exclusiveMaximum !== undefined) says.push(`below ${rule.exclusiveMaximum}`);
  if (rule.multipleOf !== undefined) says.push(`in steps of ${rule.multipleOf}`);
  span(rule.minLength, rule.maxLength, " characters");
  span(rule.minItems, rule.maxItems, " items");
  if (rule.uniqueItems) says.push("each once");
  if (rule.const !== undefined) says.push(`always ${JSON.stringify(rule.const)}`);
  if (rule.enum) says.push(rule.enum.join(", "));
  if (items) says.push(...rulesOf(items).map((one) => `each ${one}`));
  return says;
}

// A value that fits, so that a body has something to change.
function exampleOf(schema, depth = 0) {
  const whole = resolved(schema);
  if (whole.example !== undefined) return whole.example;
  if (whole.const !== undefined) return whole.const;
  if (whole.enum) return whole.enum[1] ?? whole.enum[0];
  switch ([whole.type].flat()[0]) {
    case "object":
      if (whole.additionalProperties || depth > 3) return {};
      return Object.fromEntries(
        Object.entries(whole.properties ?? {}).map(([name, property]) => [name, exampleOf(property, depth + 1)]),
      );
    case "array":
      return depth > 3 ? [] : [exampleOf(whole.items, depth + 1)];
    case "number":
    case "integer": {
      const low = whole.minimum ?? whole.exclusiveMinimum ?? 0;
      const high = whole.maximum ?? whole.exclusiveMaximum ?? low + 10;
      const step = whole.multipleOf ?? 1;
      const fits = Math.min(Math.max(low, 1), high);
      return whole.type === "number" ? Math.round(fits / step) * step : Math.round(fits);
    }
    case "boolean":
      return false;
    case "string":
      if (whole.format === "int64" || whole.format === "uint64") return "0";
      if (whole.format === "date-time") return "2026-01-01T00:00:00Z";
      if (whole.contentEncoding) return "AAAA";
      return "x".repeat(Math.max(0, Math.min(whole.minLength ?? 0, 64))).replace(/^x$/, "a");
    default:
      return null;
  }
}

function tree(schema, seen = []) {
  const whole = resolved(schema);
  if (whole.type === "array") return tree(whole.items, seen);
  if (whole.additionalProperties) return tree(whole.additionalProperties, seen);
  const properties = Object.entries(whole.properties ?? {});
  if (properties.length === 0) return make("p", { class: "soft" }, whole.type === "object" ? "No fields." : kindOf(schema));
  return make(
    "ul",
    { class: "tree" },
    properties.map(([name, property]) => {
      const inner = resolved(property);
      const below = resolved(inner.items ?? (inner.additionalProperties || inner));
      const reference = nameOf(property) ?? nameOf(inner.items) ?? nameOf(inner.additionalProperties);
      const opens = below.properties && !(reference && seen.includes(reference));
      const needed = whole.required?.includes(name);
      return make(
        "li",
        {},
        make("code", {}, name),
        " ",
        make("span", { class: "kind" }, [kindOf(property), ...rulesOf(property)].join(", ")),
        needed ? make("span", { class: "need" }, " required") : "",
        inner.description ? make("div", { class: "doc" }, flowing(inner.description)) : "",
        opens ? make("details", {}, make("summary", {}, reference ?? "Fields"), tree(below, [...seen, reference])) : "",
      );
    }),
  );
}

// === one method

const NDJSON = "application/x-ndjson";

function control(schema, attributes) {
  const whole = resolved(schema);
  const choices = whole.enum ?? (whole.type === "boolean" ? ["true", "false"] : undefined);
  if (choices) {
    const blank = make("option", { value: "" }, "not given");
    return make("select", attributes, blank, choices.map((choice) => make("option", { value: choice }, choice)));
  }
  if (whole.type === "array") {
    return make("textarea", { ...attributes, rows: 2, placeholder: "one on each line", spellcheck: "false" });
  }
  const numeric = whole.type === "integer" || whole.type === "number";
  return make("input", {
    ...attributes,
    type: "text",
    inputmode: numeric ? "decimal" : undefined,
    maxlength: whole.maxLength,
    spellcheck: "false",
    autocapitalize: "off",
  });
}

function fieldFor(parameter) {
  const id = freshId("field");
  const hint = freshId("hint");
  const generated = parameter.in === "header" && parameter.name === "idempotency-key";
  const input = control(parameter.schema, { id, "aria-describedby": hint, required: parameter.required });
  if (generated) input.value = key();
  const says = [flowing(parameter.description), rulesOf(parameter.schema).join(", ")].filter(Boolean).join(" · ");
  const another = () => {
    input.value = key();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const row = generated
    ? make("div", { class: "beside" }, input, make("button", { type: "button", on: { click: another } }, "New"))
    : input;
  return {
    parameter,
    input,
    element: make(
      "div",
      { class: "field" },
      make(
        "label",
        { class: "label", for: id },
        make("code", {}, parameter.name),
        " ",
        make("span", { class: "kind" }, `${kindOf(parameter.schema)}, ${parameter.in}`),
        parameter.required ? make("span", { class: "need" }, " required") : "",
      ),
      row,
      make("p", { class: "hint", id: hint }, says),
    ),
  };
}

// Single quotes for a shell, whatever is inside.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

class Method {
  constructor(path, verb, operation) {
    this.path = path;
    this.verb = verb;
    this.operation = operation;
    this.id = operation.operationId ?? `${verb}${path}`;
    const content = operation.requestBody?.content ?? {};
    this.type = Object.keys(content)[0];
    this.bodySchema = content[this.type]?.schema;
    const good = operation.responses?.["200"] ?? {};
    this.answerType = Object.keys(good.content ?? {})[0];
    this.answerSchema = good.content?.[this.answerType]?.schema;
    this.streams = this.answerType === "text/event-stream";
    this.words = [verb, path, this.id, operation.summary, operation.description].join(" ").toLowerCase();
    this.element = make(
      "details",
      { class: `method ${verb}`, id: this.id },
      make(
        "summary",
        {},
        make("span", { class: "verb" }, verb.toUpperCase()),
        make("span", { class: "path" }, breakable(path)),
        make("span", { class: "what" }, operation.summary ?? ""),
        this.streams ? make("span", { class: "tag" }, "events") : "",
        this.type === NDJSON ? make("span", { class: "tag" }, "lines") : "",
      ),
    );
    // The form is made when it is first looked at: a contract may have hundreds.
    this.element.addEventListener("toggle", () => {
      if (this.element.open) this.open();
    });
  }

  open() {
    if (this.form) return;
    this.fields = (this.operation.parameters ?? []).map(fieldFor);
    const send = make("button", { class: "main", type: "submit" }, "Send");
    const stop = make("button", { type: "button", hidden: true, on: { click: () => this.abort?.abort() } }, "Stop");
    Object.assign(this, { send, stop });
    this.answer = make("div", { class: "wide", "aria-live": "polite" });
    this.line = make("pre", { tabindex: "0", "aria-label": "The same request with curl" });
    const copy = make("button", { class: "small", type: "button", on: { click: () => this.copy(copy) } }, "Copy");
    this.form = make(
      "form",
      { class: "body", novalidate: true },
      this.told(),
      make("div", { class: "fields" }, this.fields.map((field) => field.element), this.bodyField(), make("div", { class: "acts" }, send, stop)),
      this.schemas(),
      make("div", { class: "wide curl" }, this.line, copy),
      this.answer,
    );
    this.form.addEventListener("input", () => this.show());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.form.requestSubmit();
      }
    });
    this.element.append(this.form);
    this.show();
  }

  // The description, unless the heading has said all of it.
  told() {
    const told = flowing(this.operation.description);
    return told && told !== this.operation.summary ? make("p", { class: "wide told" }, told) : "";
  }

  bodyField() {
    if (!this.bodySchema) return "";
    const id = freshId("body");
    const hint = freshId("hint");
    const example = exampleOf(this.bodySchema);
    const lines = this.type === NDJSON;
    const text = lines ? `${JSON.stringify(example)}\n${JSON.stringify(example)}` : JSON.stringify(example, null, 2);
    const rows = Math.min(Math.max(text.split("\n").length, lines ? 6 : 3), 18);
    this.editor = make("textarea", { id, rows, wrap: lines ? "off" : "soft", spellcheck: "false", autocapitalize: "off", "aria-describedby": hint });
    this.editor.value = text;
    const says = lines ? "One message in JSON on each line." : "JSON, prefilled with values that fit: change them.";
    return make(
      "div",
      { class: "field" },
      make("label", { class: "label", for: id }, "Body ", make("span", { class: "kind" }, this.type)),
      this.editor,
      make("p", { class: "hint", id: hint }, says),
    );
  }

  schemas() {
    const shown = [];
    if (this.bodySchema) {
      const name = this.type === NDJSON ? "Each line" : "The body";
      shown.push(make("details", {}, make("summary", {}, name), tree(this.bodySchema)));
    }
    if (this.answerSchema) {
      const name = this.streams ? "Each event" : "The answer";
      shown.push(make("details", { open: true }, make("summary", {}, name), tree(this.answerSchema)));
    }
    const problem = description.components?.schemas?.Problem;
    if (problem) shown.push(make("details", {}, make("summary", {}, "A refusal"), tree(problem)));
    return make("div", { class: "schemas" }, shown);
  }

  // What would be sent as things stand.
  request() {
    let path = this.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter, input } of this.fields) {
      const value = input.value;
      if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value) || `{${parameter.name}}`);
      else if (value === "") continue;
      else if (parameter.in === "header") headers[parameter.name] = value;
      else if (resolved(parameter.schema).type === "array") {
        for (const one of value.split("\n").filter(Boolean)) query.append(parameter.name, one);
      } else query.append(parameter.name, value);
    }
    if (token.value.trim()) headers.authorization = `Bearer ${token.value.trim()}`;
    const body = this.editor?.value;
    if (body !== undefined) headers["content-type"] = this.type;
    const search = query.toString();
    return { path: search ? `${path}?${search}` : path, headers, body };
  }

  show() {
    if (!this.form) return;
    const { path, headers, body } = this.request();
    const parts = [`curl ${this.streams ? "-N " : ""}${this.verb === "get" ? "" : `-X ${this.verb.toUpperCase()} `}${quoted(location.origin + path)}`];
    for (const [name, value] of Object.entries(headers)) {
      parts.push(name === "authorization" ? `-H "authorization: Bearer $TOKEN"` : `-H ${quoted(`${name}: ${value}`)}`);
    }
    // Lines must stay lines; of one message the spaces do not matter.
    if (body !== undefined) parts.push(this.type === NDJSON ? `--data-binary ${quoted(body)}` : `-d ${quoted(compact(body))}`);
    this.line.textContent = parts.join(" \\\n  ");
  }

  async copy(button) {
    const text = this.line.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(this.line);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  async run() {
    const missing = this.fields.find(({ parameter, input }) => parameter.in === "path" && input.value === "");
    if (missing) {
      missing.input.setAttribute("aria-invalid", "true");
      missing.input.focus();
      this.answer.replaceChildren(make("p", { class: "status bad" }, `Fill in ${missing.parameter.name}: it is part of the path.`));
      return;
    }
    this.abort?.abort();
    const abort = (this.abort = new AbortController());
    const { path, headers, body } = this.request();
    this.send.disabled = true;
    this.stop.hidden = false;
    this.answer.replaceChildren(make("p", { class: "soft waiting" }, "Waiting…"));
    const started = performance.now();
    const took = () => `${(performance.now() - started).toFixed(0)} ms`;
    try {
      const response = await fetch(path, { method: this.verb.toUpperCase(), headers, body, signal: abort.signal, credentials: "omit" });
      const view = new View(response, took());
      this.answer.replaceChildren(view.element);
      const type = response.headers.get("content-type") ?? "";
      if (type.startsWith("text/event-stream")) await view.events(response, took);
      else view.whole(await response.text(), type, took());
    } catch (error) {
      const gone = abort.signal.aborted ? `Stopped after ${took()}.` : `No answer after ${took()}: ${error.message}.`;
      const note = make("p", { class: abort.signal.aborted ? "soft" : "status bad" }, gone);
      if (abort.signal.aborted && this.answer.querySelector(".events")) this.answer.append(note);
      else this.answer.replaceChildren(note);
    } finally {
      if (this.abort === abort) {
        this.send.disabled = false;
        this.stop.hidden = true;
      }
    }
  }
}

function compact(text) {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}

const oneLine = (value) => JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");

// An answer as it comes.
class View {
  constructor(response, took) {
    this.time = make("span", { class: "soft" }, took);
    this.size = make("span", { class: "soft" });
    this.content = make("div");
    const words = `${response.status} ${response.statusText}`.trim();
    this.element = make(
      "div",
      { class: "answer" },
      make("div", { class: "line" }, make("span", { class: `status ${response.ok ? "good" : "bad"}` }, words), this.time, this.size),
      this.content,
      make(
        "details",
        {},
        make("summary", {}, "Headers"),
        make("pre", {}, [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n")),
      ),
    );
  }

  whole(text, type, took) {
    this.time.textContent = took;
    this.size.textContent = `${new Blob([text]).size.toLocaleString("en")} bytes`;
    this.content.replaceChildren(make("pre", { tabindex: "0" }, text ? pretty(text, type) : make("span", { class: "soft" }, "no body")));
  }

  // Shows each event when it comes, the latest last; of very many the latest.
  async events(response, took) {
    const list = make("ul", { class: "events", tabindex: "0", "aria-label": "Events" });
    const waiting = make("p", { class: "note soft waiting" }, "Waiting for events…");
    this.content.replaceChildren(list, waiting);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let kept = "";
    let count = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      kept += value;
      const parts = kept.split("\n\n");
      kept = parts.pop();
      for (const part of parts) {
        const lines = part.split("\n");
        const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
        if (!data) continue;
        const failed = lines.includes("event: error");
        list.append(make("li", {}, make("time", {}, took()), make("pre", { class: failed ? "failed" : "" }, pretty(data, "json", oneLine))));
        if (list.childElementCount > 500) list.firstElementChild.remove();
        list.scrollTop = list.scrollHeight;
        this.size.textContent = `${++count} ${count === 1 ? "event" : "events"}`;
      }
    }
    waiting.textContent = `The stream ended after ${took()}.`;
    waiting.classList.remove("waiting");
  }
}

// === the page

const VERBS = ["get", "put", "post", "patch", "delete"];
// What groups methods: the path up to its second part.
const groupOf = (path) => `/${path.split(/[/:{]/).filter(Boolean).slice(0, 2).join("/")}`;

function build() {
  const { info = {}, paths = {} } = description;
  document.title = `${info.title} API`;
  byId("title").textContent = info.title ?? "API";
  byId("about").textContent = [flowing(info.description), info.version].filter(Boolean).join(" · ");
  const methods = Object.entries(paths).flatMap(([path, operations]) =>
    VERBS.filter((verb) => operations[verb]).map((verb) => new Method(path, verb, operations[verb])),
  );
  const groups = new Map();
  for (const method of methods) {
    const name = groupOf(method.path);
    groups.set(name, [...(groups.get(name) ?? []), method]);
  }
  const sections = [...groups].sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, members]) => ({
    members,
    element: make("section", { class: "group" }, make("h2", {}, name), members.map((member) => member.element)),
  }));
  const none = make("p", { class: "soft", hidden: true, role: "status" }, "Nothing matches.");
  byId("methods").replaceChildren(none, ...sections.map((section) => section.element));
  const links = sections.flatMap((section) => section.members).map((method) => ({
    method,
    element: make("li", {}, make("a", { href: `#${method.id}`, class: method.verb, title: method.operation.summary ?? "" }, make("span", { class: "verb" }, method.verb.toUpperCase()), make("span", {}, breakable(method.path)))),
  }));
  byId("nav").replaceChildren(make("ul", {}, links.map((link) => link.element)));

  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (method) => words.every((word) => method.words.includes(word));
    for (const link of links) link.element.hidden = !fits(link.method);
    for (const section of sections) {
      for (const member of section.members) member.element.hidden = !fits(member);
      section.element.hidden = !section.members.some(fits);
    }
    none.hidden = methods.some(fits);
  };
  find.addEventListener("input", filter);
  token.addEventListener("input", () => methods.forEach((method) => method.show()));
  const jump = () => {
    const wanted = methods.find((method) => `#${method.id}` === decodeURIComponent(location.hash));
    if (!wanted) return;
    wanted.element.hidden = false;
    wanted.element.open = true;
    wanted.open();
    wanted.element.scrollIntoView();
    wanted.element.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", jump);
  if (methods.length === 0) byId("methods").append("This address has no REST methods.");
  filter();
  jump();
}

byId("tools").addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    find.focus();
  }
});

try {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw new Error(`status ${response.status}`);
  description = await response.json();
  build();
} catch (error) {
  byId("methods").replaceChildren(make("p", { class: "status bad", role: "alert" }, `The description cannot be read: ${error.message}.`));
}
