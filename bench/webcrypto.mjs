// SPDX-License-Identifier: LGPL-2.1-or-later
// What a call in the browser does: each track's frames go through a stream of its own in a worker, where WebCrypto seals
// them and a frame with header, IV and trailer is put together. Prints frames a second with this many tracks, each with
// a frame under way; and, as "bare", those of a worker without streams and frames, which only seals what it is sent.
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { webcrypto } from 'node:crypto'

const size = 1200
const clear = 10 // of a VP8 key frame
const tracks = 16
const seconds = process.argv.includes('--quick') ? 0.5 : 2
const rounds = 7

function importKey () {
  const raw = new TextEncoder().encode('0123456789abcdef')
  return webcrypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt'])
}

// A trailer frame, as LiveKit's worker makes it.
async function encryptFrame (key, data) {
  const iv = webcrypto.getRandomValues(new Uint8Array(12))
  const header = new Uint8Array(data, 0, clear)
  const sealed = await webcrypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: header }, key,
    new Uint8Array(data, clear))
  const frame = new Uint8Array(clear + sealed.byteLength + iv.byteLength + 2)
  frame.set(header)
  frame.set(new Uint8Array(sealed), clear)
  frame.set(iv, clear + sealed.byteLength)
  frame.set([iv.byteLength, 0], clear + sealed.byteLength + iv.byteLength)
  return frame.buffer
}

async function workInStreams () {
  const key = await importKey()
  const writers = Array.from({ length: tracks }, (_, track) => {
    const { readable, writable } = new TransformStream({
      async transform (data, controller) { controller.enqueue(await encryptFrame(key, data)) }
    })
    readable.pipeTo(new WritableStream({ write (frame) { parentPort.postMessage({ track, frame }, [frame]) } }))
    return writable.getWriter()
  })
  parentPort.on('message', ({ track, frame }) => writers[track].write(frame))
}

async function workBare () {
  const key = await importKey()
  parentPort.on('message', async ({ track, frame }) => {
    const iv = webcrypto.getRandomValues(new Uint8Array(12))
    const sealed = await webcrypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, frame)
    parentPort.postMessage({ track, frame: sealed }, [sealed])
  })
}

function timeRound (worker) {
  return new Promise(resolve => {
    const start = performance.now()
    let done = 0
    let inFlight = 0
    const send = track => {
      const frame = new ArrayBuffer(size)
      worker.postMessage({ track, frame }, [frame])
      inFlight++
    }
    worker.removeAllListeners('message')
    worker.on('message', ({ track }) => {
      done++
      inFlight--
      const elapsed = (performance.now() - start) / 1000
      if (elapsed < seconds) send(track)
      else if (inFlight === 0) resolve(done / elapsed)
    })
    for (let track = 0; track < tracks; track++) send(track)
  })
}

if (isMainThread) {
  for (const kind of ['bare', 'worker']) {
    const worker = new Worker(new URL(import.meta.url), { workerData: kind })
    await timeRound(worker) // for the compiler
    const values = []
    for (let i = 0; i < rounds; i++) values.push(await timeRound(worker))
    values.sort((a, b) => a - b)
    console.log(`webcrypto_${kind}_frames_${size} ${values[(rounds - 1) / 2].toFixed(0)} frames/s`)
    await worker.terminate()
  }
} else {
  await (workerData === 'bare' ? workBare() : workInStreams())
}
