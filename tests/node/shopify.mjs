// Shopify's own library, asked a line of JSON at a time: it signs as the platform does, and judges as its apps do.
//
// sign_body, sign_query, sign_proxy -> {"value": text}; judge_body, judge_query, judge_proxy -> {"good": true | false}

import "@shopify/shopify-api/adapters/node";

import readline from "node:readline";

import { shopifyApi } from "@shopify/shopify-api";
import { getHmac, RequestType, setUpValidRequest } from "@shopify/shopify-api/test-helpers";

// Not among the package's exports: what the library itself signs queries with.
import { generateLocalHmac } from "./node_modules/@shopify/shopify-api/dist/esm/lib/utils/hmac-validator.mjs";

const api = (secret) =>
  shopifyApi({
    apiKey: "key",
    apiSecretKey: secret,
    hostName: "reprise.example",
    apiVersion: "2026-07",
    isEmbeddedApp: false,
    scopes: ["read_orders"],
    logger: { level: 0 },
  });

const parameters = (query) => Object.fromEntries(new URLSearchParams(query));

const good = async (judge) => {
  try {
    return { good: await judge() };
  } catch {
    return { good: false };
  }
};

const verbs = {
  sign_body: async ({ secret, body }) => ({ value: getHmac(body, secret) }),
  sign_query: async ({ secret, query }) => ({
    value: await generateLocalHmac(api(secret).config)(query),
  }),
  sign_proxy: async ({ secret, url, shop }) => {
    const options = { type: RequestType.Public, store: shop, apiSecretKey: secret };
    return { value: (await setUpValidRequest(options, new Request(url))).url };
  },
  judge_body: ({ secret, body, headers }) =>
    good(async () => {
      const rawRequest = { method: "POST", url: "/hooks", headers };
      return (await api(secret).webhooks.validate({ rawBody: body, rawRequest })).valid;
    }),
  judge_query: ({ secret, query }) =>
    good(() => api(secret).utils.validateHmac(parameters(query))),
  judge_proxy: ({ secret, query }) =>
    good(() => api(secret).utils.validateHmac(parameters(query), { signator: "appProxy" })),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await verbs[asked.verb](asked))}\n`);
}
