// The guestbook's page. Reads come from redis-replica, writes go to redis-master, as in the example's PHP program:
// GET /guestbook.php?cmd=get&key=messages and ?cmd=set&key=messages&value=...
import { connect } from 'node:net'
import { sendJson, sendText, serve } from '../../shared/serve.mjs'
import { serviceAddress } from '../../shared/service-url.mjs'
import { RespReader, encodeRequest } from './resp.mjs'

const TIMEOUT_MS = 2000

serve('frontend', async (request, response, url) => {
  if (url.pathname === '/' || url.pathname === '/index.html') return sendText(response, 200, PAGE, 'text/html')
  if (url.pathname !== '/guestbook.php') return sendJson(response, 404, { error: `no page ${url.pathname}` })
  const [command, key, value] = ['cmd', 'key', 'value'].map((name) => url.searchParams.get(name))
  try {
    if (key && command === 'get') return sendJson(response, 200, { data: (await redis('redis-replica', ['GET', key])) ?? '' })
    if (key && command === 'set') {
      await redis('redis-master', ['SET', key, value ?? ''])
      return sendJson(response, 200, { message: 'Updated' })
    }
  } catch (error) {
    return sendJson(response, 502, { error: error.message })
  }
  sendJson(response, 400, { error: 'say cmd=get&key=KEY or cmd=set&key=KEY&value=VALUE' })
})

/** One command over a connection of its own. Rejects with what the server objects to. */
function redis(service, words) {
  const { host, port } = serviceAddress(service, 6379)
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS })
    const reader = new RespReader()
    socket.on('connect', () => socket.write(encodeRequest(words)))
    socket.on('data', (chunk) => {
      try {
        const [value] = reader.push(chunk)
        if (value === undefined) return
        socket.destroy()
        if (value instanceof Error) reject(value)
        else resolve(value)
      } catch (error) {
        socket.destroy(error)
      }
    })
    socket.on('timeout', () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    socket.on('error', (error) => reject(new Error(`${service} at ${host}:${port}: ${error.message}`)))
    socket.on('close', () => reject(new Error(`${service} at ${host}:${port} closed the connection`)))
  })
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Guestbook</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 36rem; padding: 0 1rem }</style>
<h1>Guestbook</h1>
<form><input name="message" aria-label="Message" autocomplete="off"> <button>Submit</button></form>
<ul></ul>
<script>
  const list = document.querySelector('ul')
  const ask = async (query) => (await fetch('guestbook.php?' + new URLSearchParams(query))).json()
  const read = async () => {
    const { data = '' } = await ask({ cmd: 'get', key: 'messages' })
    list.replaceChildren(...data.split(',').filter(Boolean).map((text) => Object.assign(document.createElement('li'), { textContent: text })))
    return data
  }
  document.querySelector('form').onsubmit = async (event) => {
    event.preventDefault()
    const text = event.target.message.value.replaceAll(',', ' ').trim()
    if (text) await ask({ cmd: 'set', key: 'messages', value: [await read(), text].filter(Boolean).join(',') })
    event.target.reset()
    await read()
  }
  read()
  setInterval(read, 2000)
</script>
</html>
`
