// Loaded into a child with `--import`. Our children lead their own process group, so a SIGKILL to
// ours does not reach them: they notice here that nobody waits for them any more.
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
  }, 1_000)
  timer.unref()
}
