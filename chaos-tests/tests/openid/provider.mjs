// A real OpenID provider (oidc-provider) for tests, on a port of 127.0.0.1 that nobody uses.
//
// Called with a file of JSON: {modules, clients, tls?, claimsInToken?}. The first line that it
// prints is its issuer. What a person would type stands under /test: POST /test/person says who
// signs in from then on ({sub, …claims}, or {deny: true}), POST /test/keys exchanges its keys.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const installed = createRequire(`${process.env.OIDC_PROVIDER_FOLDER}/`);
const { Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));

const people = new Map();
let next = { deny: true };
let issuer;
let provider;

function key(type, options, algorithm) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: algorithm, use: 'sig' };
}

function begin() {
  provider = new Provider(issuer, {
    clients: config.clients,
    claims: { openid: ['sub'], profile: ['preferred_username', 'name'], groups: ['groups'] },
    scopes: ['openid', 'profile', 'groups'],
    conformIdTokenClaims: !config.claimsInToken,
    cookies: { keys: [randomUUID()] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_ctx, sub) =>
      people.has(sub) ? { accountId: sub, claims: () => people.get(sub) } : undefined,
    interactions: { url: (_ctx, interaction) => `/test/interaction/${interaction.uid}` },
    jwks: {
      keys: [
        key('rsa', { modulusLength: 2048 }, 'RS256'),
        key('ec', { namedCurve: 'P-256' }, 'ES256'),
      ],
    },
    // Nobody is asked whether this registry may know who they are.
    loadExistingGrant: async (ctx) => {
      const { clientId } = ctx.oidc.client;
      const grant = new ctx.oidc.provider.Grant({ clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope('openid profile groups');
      await grant.save();
      return grant;
    },
    pkce: { required: () => true },
    ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Interaction: 60, Session: 60, Grant: 60 },
  });
}

async function body(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text || '{}');
}

async function answer(request, response) {
  if (request.url === '/test/person') {
    next = await body(request);
    if (next.sub) people.set(next.sub, next);
    response.end();
  } else if (request.url === '/test/keys') {
    begin();
    response.end();
  } else if (request.url.startsWith('/test/interaction/')) {
    const result = next.deny
      ? { error: 'access_denied', error_description: 'not today' }
      : { login: { accountId: next.sub } };
    await provider.interactionFinished(request, response, result);
  } else {
    provider.callback()(request, response);
  }
}

const respond = (request, response) =>
  answer(request, response).catch((error) => {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  });
const server = config.tls ? https.createServer(config.tls, respond) : http.createServer(respond);
server.listen(0, '127.0.0.1', () => {
  issuer = `${config.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  begin();
  console.log(issuer);
});
