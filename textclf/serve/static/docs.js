// Shows /openapi.json: each path with its parameters, its body, its answers and a command that asks it.

import { find, make, table } from "./parts.js";
import { ask } from "./server.js";

const EXAMPLES = {
  "application/json": (address) => `curl -s ${address} -H 'Content-Type: application/json' -d '{"text": "The band will play"}'`,
  "application/octet-stream": (address) =>
    `curl -s '${address}?name=tickets.csv' -H 'Content-Type: application/octet-stream' --data-binary @tickets.csv`,
};

let schemas = {};

const resolved = (schema) => (schema.$ref ? schemas[schema.$ref.split("/").pop()] : schema);

// What a value may be, in words.
function kind(schema) {
  const inner = resolved(schema);
  if (inner.anyOf) return inner.anyOf.filter(({ type }) => type !== "null").map(kind).join(" or ");
  if (inner.type === "array") return `list of ${kind(inner.items)}`;
  const { minimum: least, maximum: most } = inner;
  const range = least === undefined ? "" : most === undefined ? `, at least ${least}` : `, ${least} to ${most}`;
  return (inner.type === "object" ? inner.title || "object" : inner.type || "any value") + range;
}

function field(name, schema, required) {
  const hasDefault = schema.default !== undefined && schema.default !== null;
  const more = required ? "; required" : hasDefault ? `; default ${schema.default}` : "";
  return [name, kind(schema) + more, schema.description || resolved(schema).description || ""];
}

const HEAD = ["name", "type", "meaning"];

// The fields of an object, and after them those of the objects in it.
function fields(schema, title) {
  const { properties = {}, required = [] } = resolved(schema);
  const inside = Object.values(properties).map((each) => innermost(each)).filter((each) => each.properties);
  if (!Object.keys(properties).length) return [];
  const rows = Object.entries(properties).map(([name, each]) => field(name, each, required.includes(name)));
  return [make("h3", "", title), table([HEAD, ...rows], title), ...inside.flatMap((each) => fields(each, each.title))];
}

function innermost(schema) {
  const inner = resolved(schema);
  if (inner.anyOf) return innermost(inner.anyOf[0]);
  return inner.type === "array" ? innermost(inner.items) : inner;
}

function section(path, method, { description, parameters = [], requestBody, responses }) {
  const title = `${method.toUpperCase()} ${path}`;
  const made = make("section", "card", "", make("h2", "", "", make("code", "", title)), make("p", "", description));
  const [type, { schema } = {}] = Object.entries(requestBody?.content || {})[0] || [];
  const address = location.origin + path;
  made.append(make("pre", "example", type ? EXAMPLES[type](address) : `curl -s ${address}`));
  made.lastChild.tabIndex = 0;
  if (parameters.length) {
    const rows = parameters.map(({ name, schema: each, required }) => field(name, each, required));
    made.append(make("h3", "", "In the address"), table([HEAD, ...rows], `${title}: in the address`));
  }
  if (type) made.append(...fields(schema, `Body: ${type}`));
  for (const [answer, { schema: each = {} }] of Object.entries(responses["200"].content || {})) made.append(...fields(each, `Answer: ${answer}`));
  const refusals = Object.entries(responses).filter(([status]) => status !== "200").map(([status, each]) => [status, each.description]);
  if (refusals.length) made.append(make("h3", "", "Refusals"), table([["status", "why"], ...refusals], `${title}: refusals`));
  return made;
}

try {
  const described = await ask("/openapi.json");
  schemas = described.components?.schemas || {};
  for (const [path, methods] of Object.entries(described.paths)) {
    find("paths").append(...Object.entries(methods).map(([method, about]) => section(path, method, about)));
  }
} catch (error) {
  find("error").textContent = error.message;
  find("error").hidden = false;
}
