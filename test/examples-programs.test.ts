import { execFileSync } from 'node:child_process'
import { connect } from 'node:net'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { afterEach, describe, expect, test } from 'vitest'
import type { ImageRecipe } from '../src/api/biplane.dev/v1alpha1/image-recipe.ts'
import { expand, matchRecipe } from '../src/data-plane/node/recipes/index.ts'
import { poll } from './support/poll.ts'
import { Program, REPOSITORY } from './support/program.ts'

const running: Program[] = []
afterEach(async () => {
  for (const program of running.splice(0)) await program.stop()
})

async function start(path: string, env: Readonly<Record<string, string>> = {}): Promise<Program> {
  const program = await Program.start(path, env)
  running.push(program)
  return program
}

const json = async (url: string, init?: RequestInit): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000), ...init })
  return { status: response.status, body: await response.json() }
}
const text = async (url: string, init?: RequestInit): Promise<string> =>
  (await fetch(url, { signal: AbortSignal.timeout(10_000), ...init })).text()

describe('recipes of the examples', () => {
  const recipesOf = (name: string): ImageRecipe[] =>
    loadAll(readFileSync(join(REPOSITORY, 'examples', name, 'recipes.yaml'), 'utf8')) as ImageRecipe[]

  test('are generated from the programs', () => {
    execFileSync(process.execPath, [join(REPOSITORY, 'scripts/generate-example-recipes.mjs'), '--check'], { stdio: 'pipe' })
  })

  test.each(['shop', 'bookinfo', 'guestbook', 'kuma-counter'])(
    '%s: every file, expanded as a node does it, is a program that Node can parse',
    async (name) => {
      const dir = await mkdtemp(join(tmpdir(), 'biplane-recipes-'))
      const checked = new Set<string>()
      try {
        for (const recipe of recipesOf(name)) {
          expect(recipe.spec.command?.[1]).toBe(`$(BIPLANE_FILES)/${recipe.spec.files?.[0]?.path}`)
          for (const file of recipe.spec.files ?? []) {
            if (checked.has(file.content)) continue
            checked.add(file.content)
            const path = join(dir, file.path)
            // a variable that expansion would meet must not be met
            writeFileSync(
              path,
              expand(file.content, () => 'EXPANDED'),
            )
            expect(readFileSync(path, 'utf8')).not.toContain('EXPANDED')
            execFileSync(process.execPath, ['--check', path], { stdio: 'pipe' })
          }
        }
      } finally {
        rmSync(dir, { recursive: true })
      }
    },
  )

  test('text with every kind of dollar comes back from the expansion as it was', async () => {
    const { escapeDollars } = (await import(join(REPOSITORY, 'scripts/generate-example-recipes.mjs'))) as {
      escapeDollars: (text: string) => string
    }
    for (const source of ['$(x)', '$$(x)', '$$$(x)', '${x}', '$x', '$$', '$$$x', 'a$', '$', '`${f($(1))}`', '/^$/']) {
      expect(
        expand(escapeDollars(source), () => 'wrong'),
        source,
      ).toBe(source)
    }
  })

  test.each([
    ['shop', 'shop/web:1', 'shop-web-1'],
    ['shop', 'shop/web:2', 'shop-web-2'],
    ['shop', 'shop/web:3', undefined],
    ['shop', 'shop/orders:1', 'shop-orders'],
    ['bookinfo', 'registry.istio.io/release/examples-bookinfo-reviews-v3:1.20.3', 'bookinfo-reviews-v3'],
    ['bookinfo', 'docker.io/istio/examples-bookinfo-productpage-v1:1.20.3', 'bookinfo-productpage'],
    ['guestbook', 'registry.k8s.io/redis:e2e', 'guestbook-redis-master'],
    ['guestbook', 'gcr.io/google_samples/gb-redisslave:v1', 'guestbook-redis-replica'],
    ['guestbook', 'gcr.io/google-samples/gb-frontend:v5', 'guestbook-frontend'],
    ['kuma-counter', 'ghcr.io/kumahq/kuma-counter-demo:latest@sha256:0', 'kuma-counter'],
  ])('%s runs %s by recipe %s', (name, image, recipe) => {
    expect(matchRecipe(image, recipesOf(name))?.metadata.name).toBe(recipe)
  })
})

test('shop: the page shows who answered, an order arrives, and a missing service is named instead of failing the page', async () => {
  const orders = await start('shop/programs/orders.mjs', { HOSTNAME: 'orders-a' })
  const dir = await mkdtemp(join(tmpdir(), 'biplane-catalogue-'))
  const catalogue = join(dir, 'catalogue.json')
  writeFileSync(catalogue, '[{"id":"lamp","name":"Lamp <1>","price":"2.00"}]')
  const api = await start('shop/programs/api.mjs', { HOSTNAME: 'api-a', CATALOGUE: catalogue, ...orders.serviceEnv('orders') })
  const web = await start('shop/programs/web.mjs', { VERSION: '7', GREETING: 'Hello', HOSTNAME: 'web-a', ...api.serviceEnv('api') })

  expect(await text(web.url)).toBe('Hello (web 7, gray, pod web-a)\napi answered 6 calls:\n  api-a x6\n0 orders in orders-a\n')
  const html = await text(web.url, { headers: { accept: 'text/html' } })
  expect(html).toContain('<title>Shop 7</title>')
  expect(html).toContain('Lamp &#60;1&#62;')

  const order = (body: string, type = 'application/json'): RequestInit => ({
    method: 'POST',
    body,
    headers: { 'content-type': type },
    redirect: 'manual',
  })
  expect(await json(`${web.url}/orders`, order('{"product":"lamp"}'))).toEqual({
    status: 201,
    body: { pod: 'orders-a', number: 1, product: 'lamp' },
  })
  expect((await fetch(`${web.url}/orders`, order('product=lamp', 'application/x-www-form-urlencoded'))).status).toBe(303)
  expect((await json(`${web.url}/orders`, order('{"product":"car"}'))).status).toBe(404)
  expect((await json(`${web.url}/orders`, order('nonsense'))).status).toBe(400)
  expect((await json(`${web.url}/orders`, order('x'.repeat(100_000)))).status).toBe(413)
  expect(await text(web.url)).toContain('2 orders in orders-a')

  await orders.stop()
  expect(await text(web.url)).toContain('orders: orders does not answer')
  expect((await json(`${web.url}/orders`, order('{"product":"lamp"}'))).status).toBe(503)
  rmSync(dir, { recursive: true })
  expect((await fetch(`${api.url}/readyz`)).status).toBe(503)
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200)
})

test('shop: on SIGTERM a program is no longer ready, still answers for a while, then exits 0', async () => {
  const orders = await start('shop/programs/orders.mjs', { LEAVE_MS: '1500' })
  expect((await fetch(`${orders.url}/readyz`)).status).toBe(200)
  orders.signal('SIGTERM')
  await poll('not ready', async () => ((await fetch(`${orders.url}/readyz`)).status === 503 ? true : undefined), {
    withinMs: 1_000,
    everyMs: 10,
  })
  const answer = await fetch(`${orders.url}/orders`)
  expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close'])
  expect(await orders.stop()).toBe(0)
})

test('bookinfo: the services keep the contract of the original', async () => {
  const details = await start('bookinfo/programs/details.mjs')
  const ratings = await start('bookinfo/programs/ratings.mjs')
  const stars = { ENABLE_RATINGS: 'true', STAR_COLOR: 'red', HOSTNAME: 'reviews-v3-x', ...ratings.serviceEnv('ratings') }
  const v3 = await start('bookinfo/programs/reviews.mjs', stars)
  const v1 = await start('bookinfo/programs/reviews.mjs')
  const page = await start('bookinfo/programs/productpage.mjs', { ...details.serviceEnv('details'), ...v3.serviceEnv('reviews') })

  expect(await json(`${details.url}/health`)).toEqual({ status: 200, body: { status: 'Details is healthy' } })
  expect(await json(`${details.url}/details/0`)).toMatchObject({
    status: 200,
    body: { id: 0, author: 'William Shakespeare', 'ISBN-10': '1234567890' },
  })
  expect((await json(`${details.url}/details/abc`)).status).toBe(400)
  expect(await json(`${ratings.url}/ratings/0`)).toEqual({ status: 200, body: { id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } } })
  expect(await json(`${v1.url}/reviews/0`)).toMatchObject({
    body: { id: '0', reviews: [{ reviewer: 'Reviewer1' }, { reviewer: 'Reviewer2' }] },
  })
  expect(JSON.stringify((await json(`${v1.url}/reviews/0`)).body)).not.toContain('rating')
  expect(await json(`${v3.url}/reviews/0`)).toMatchObject({
    body: { podname: 'reviews-v3-x', clustername: 'null', reviews: [{ rating: { stars: 5, color: 'red' } }, { rating: { stars: 4 } }] },
  })

  expect(await text(`${page.url}/health`)).toBe('Product page is healthy')
  expect(await json(`${page.url}/api/v1/products`)).toMatchObject({ status: 200, body: [{ id: 0, title: 'The Comedy of Errors' }] })
  expect(await json(`${page.url}/api/v1/products/0`)).toMatchObject({ status: 200, body: { pages: 200 } })
  expect(await json(`${page.url}/api/v1/products/0/ratings`)).toMatchObject({ status: 500 })
  const html = await text(`${page.url}/productpage`)
  expect(html).toContain('<title>Simple Bookstore App</title>')
  expect(html).toContain('PublisherA')
  expect(html.match(/data-stars="\d" data-color="red"/g)).toEqual(['data-stars="5" data-color="red"', 'data-stars="4" data-color="red"'])

  await ratings.stop()
  expect(await text(`${page.url}/productpage`)).toContain('Ratings service is currently unavailable')
  await details.stop()
  expect(await text(`${page.url}/productpage`)).toContain('Sorry, product details are currently unavailable for this book.')
})

test('bookinfo: who signs in is known to the services behind by the header end-user', async () => {
  const page = await start('bookinfo/programs/productpage.mjs')
  const answer = await fetch(`${page.url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ username: 'jason', passwd: '' }),
    redirect: 'manual',
  })
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/productpage'])
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect(await text(`${page.url}/productpage`, { headers: { cookie } })).toContain('jason (')
})

test('guestbook: what is written to the master is read from the replica, also by the page', async () => {
  const master = await start('guestbook/programs/redis.mjs')
  const early = await ask(master.port, ['SET', 'early', 'bird'])
  const replica = await start('guestbook/programs/redis.mjs', { REPLICA_OF: 'redis-master', ...master.serviceEnv('redis-master') })
  const read = (key: string): Promise<string> => ask(replica.port, ['GET', key])

  expect(early).toBe('+OK\r\n')
  await poll('copy', async () => ((await read('early')) === '$4\r\nbird\r\n' ? true : undefined), { withinMs: 5_000, everyMs: 20 })
  expect(await ask(master.port, ['INCR', 'n'])).toBe(':1\r\n')
  expect(await ask(master.port, ['INCR', 'early'])).toMatch(/^-ERR value is not an integer/)
  await poll('write', async () => ((await read('n')) === '$1\r\n1\r\n' ? true : undefined), { withinMs: 5_000, everyMs: 20 })
  expect(await ask(replica.port, ['SET', 'a', 'b'])).toMatch(/^-READONLY/)
  expect(await ask(master.port, ['DEL', 'n', 'none'])).toBe(':1\r\n')
  expect(await ask(master.port, ['constructor'])).toMatch(/^-ERR unknown command/)
  expect(await ask(master.port, ['GET'])).toMatch(/^-ERR wrong arguments/)
  expect(await ask(master.port, 'GET / HTTP/1.1\r\n\r\n')).toMatch(/^-ERR Protocol error/)

  const env = { ...master.serviceEnv('redis-master'), ...replica.serviceEnv('redis-replica') }
  const page = await start('guestbook/programs/frontend.mjs', env)
  const query = (parameters: Record<string, string>): Promise<{ status: number; body: unknown }> =>
    json(`${page.url}/guestbook.php?${new URLSearchParams(parameters).toString()}`)
  expect(await query({ cmd: 'set', key: 'messages', value: 'grüße' })).toEqual({ status: 200, body: { message: 'Updated' } })
  await poll('message', async () =>
    ((await query({ cmd: 'get', key: 'messages' })).body as { data: string }).data === 'grüße' ? true : undefined,
  )
  await master.stop()
  expect(await query({ cmd: 'get', key: 'messages' })).toEqual({ status: 200, body: { data: 'grüße' } })
  expect((await query({ cmd: 'set', key: 'messages', value: 'x' })).status).toBe(502)
})

/** Sends one request byte by byte, so that no message arrives whole, and gives the answer's first bytes. */
function ask(port: number, words: readonly string[] | string): Promise<string> {
  const bytes =
    typeof words === 'string' ? words : `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, timeout: 5_000 }, () => {
      for (const byte of Buffer.from(bytes)) socket.write(Buffer.of(byte))
    })
    socket.on('timeout', () => socket.destroy(new Error('no answer within 5 s')))
    socket.on('error', reject)
    socket.once('data', (chunk) => {
      socket.destroy()
      resolve(chunk.toString())
    })
  })
}

test('kuma-counter: the application counts in its store, and says when the store is away or refuses', async () => {
  const kv = await start('kuma-counter/programs/counter.mjs')
  const app = await start('kuma-counter/programs/counter.mjs', { KV_URL: kv.url, APP_VERSION: 'v1' })
  const counter = async (method: string): Promise<unknown> => (await json(`${app.url}/api/counter`, { method })).body
  expect(await counter('GET')).toMatchObject({ counter: 0, version: 'v1' })
  expect(await counter('POST')).toMatchObject({ counter: 1 })
  expect(await counter('POST')).toMatchObject({ counter: 2 })
  expect((await json(`${kv.url}/api/key-value/counter`)).body).toEqual({ value: '2' })
  expect(await counter('DELETE')).toMatchObject({ counter: 0 })
  const alone = await start('kuma-counter/programs/counter.mjs', { KV_URL: 'http://127.0.0.1:1' })
  expect((await json(`${alone.url}/api/counter`)).body).toMatchObject({ error: expect.stringContaining('does not answer') as unknown })
})
