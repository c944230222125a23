// SPDX-License-Identifier: LGPL-2.1-or-later
// What a call in the browser does: frames go to a worker by postMessage(), WebCrypto seals them there, and they come
// back. Prints frames a second with this many in flight.
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { webcrypto } from 'node:crypto'

const size = 1200
const depth = 16
const seconds = process.argv.includes('--quick') ? 0.5 : 2
const rounds = 7

async function work () {
  const raw = new TextEncoder().encode('0123456789abcdef')
  const key = await webcrypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt'])
  parentPort.on('message', async frame => {
    const iv = webcrypto.getRandomValues(new Uint8Array(12))
    const sealed = await webcrypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, frame)
    parentPort.postMessage(sealed, [sealed])
  })
}

function timeRound (worker) {
  return new Promise(resolve => {
    const start = performance.now()
    let done = 0
    let inFlight = 0
    const send = () => {
      const frame = new ArrayBuffer(size)
      worker.postMessage(frame, [frame])
      inFlight++
    }
    worker.removeAllListeners('message')
    worker.on('message', () => {
      done++
      inFlight--
      const elapsed = (performance.now() - start) / 1000
      if (elapsed < seconds) send()
      else if (inFlight === 0) resolve(done / elapsed)
    })
    for (let i = 0; i < depth; i++) send()
  })
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  await timeRound(worker) // for the compiler
  const values = []
  for (let i = 0; i < rounds; i++) values.push(await timeRound(worker))
  values.sort((a, b) => a - b)
  console.log(`webcrypto_worker_frames_${size} ${values[(rounds - 1) / 2].toFixed(0)} frames/s`)
  await worker.terminate()
} else {
  await work()
}
