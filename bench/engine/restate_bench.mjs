// Measure Restate, one of the peer engines.
//
//   node restate_bench.mjs --cache DIR [--reps 20] [--rounds 3] [--big 10000] [--trials 5]
//
// DIR is the directory that install_peers.sh filled. Progress goes to standard
// error; the last line of standard output is one JSON object.
//
// The driver starts two processes per deployment: the Restate server with its
// shipped settings (only telemetry is off and every port is on loopback), and a
// service process, which is this file again with --role service. All times are
// taken from the clock that is common to all processes of the machine.
//
//   seq          call of a handler with N empty steps until its reply, over N.
//                N = 1 therefore includes starting and finishing an invocation.
//   concurrent   16 such calls of 40 steps at once, finished steps per second,
//                median over the rounds.
//   big          one invocation with --big steps on a fresh deployment: its time
//                and the memory of server and service at its end (pages shared
//                between processes counted once). Then both are killed and
//                started again: time until the next step body runs. The number
//                of steps is in "restart_events"; "steps10k_s" goes with it.
//   duplicates   trials in which a step body that was running when both were
//                killed had its effect a second time after the restart.

import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const CONCURRENT_INVOCATIONS = 16;
const CONCURRENT_STEPS = 40;
const SEQUENCES = [1, 40, 500];
const DEADLINE_MS = 120_000; // for any single thing we wait for, except the big run

const { values: options } = parseArgs({
  options: {
    cache: { type: "string" },
    reps: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    big: { type: "string", default: "10000" },
    trials: { type: "string", default: "5" },
    // The rest is used by the driver when it starts the service process.
    role: { type: "string", default: "driver" },
    port: { type: "string" },
    notes: { type: "string" },
    hold: { type: "boolean", default: false },
  },
});
if (!options.cache) {
  console.error("restate_bench.mjs: --cache DIR is required");
  process.exit(2);
}
const require = createRequire(resolve(options.cache, "restate", "package.json"));

const now = () => process.hrtime.bigint(); // nanoseconds, same origin in every process
const millis = (from, to) => Number(to - from) / 1e6;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const forever = () => new Promise(() => {});

// ---------------------------------------------------------------- service

// The notes file is how step bodies talk to the driver. One line per note:
// a name, the time, and how many step bodies this process has run so far.
function serve() {
  // The SDK relies on this standard function, which Node.js has from version 22.
  Promise.withResolvers ??= () => {
    let resolve, reject;
    const promise = new Promise((...functions) => ([resolve, reject] = functions));
    return { promise, resolve, reject };
  };
  const restate = require("@restatedev/restate-sdk");
  let bodies = 0;
  const note = (name) => appendFileSync(options.notes, `${name} ${now()} ${bodies}\n`);
  const emptySteps = async (ctx, count) => {
    for (let i = 0; i < count; i++) await ctx.run("step", () => void bodies++);
  };

  const bench = restate.service({
    name: "bench",
    handlers: {
      steps: emptySteps,

      // With --hold the handler stops between two steps and waits to be killed.
      // The stop is not a step, so a service without --hold replays past it.
      big: async (ctx, count) => {
        await emptySteps(ctx, count);
        if (options.hold) {
          note("reached");
          await forever();
        }
        await ctx.run("next", () => note("next"));
      },

      // With --hold the step body never returns after it has had its effect.
      fragile: async (ctx, effect) => {
        await ctx.run("effect", async () => {
          note(effect);
          if (options.hold) await forever();
        });
      },
    },
  });

  const endpoint = restate.endpoint().bind(bench);
  http2.createServer(endpoint.http2Handler()).listen(Number(options.port), "127.0.0.1");
}

// ----------------------------------------------------- processes and files

const children = new Set();
const directories = new Set();

// However the driver ends, it first waits for its processes to be gone, since one
// that is still dying could write into the directory being removed.
async function leave(code) {
  const ended = [...children].map((child) => child.exited);
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(ended);
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  process.exit(code);
}

// setpriv --pdeathsig: if the driver itself is killed outright, the kernel kills
// its children. setpriv then becomes the program, so the process id is the right one.
function start(command, args, logFile, env = {}) {
  const log = openSync(logFile, "a");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", command, ...args], {
    stdio: ["ignore", log, log],
    env: { ...process.env, ...env },
  });
  child.exited = new Promise((done) => child.once("exit", done).once("error", done));
  child.exited.then(() => children.delete(child));
  children.add(child);
  return child;
}

// Ask `probe` until it returns something other than undefined.
async function until(what, probe, deadlineMs = DEADLINE_MS) {
  const started = now();
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (millis(started, now()) > deadlineMs) throw new Error(`timed out waiting for ${what}`);
    await pause(2);
  }
}

// Ports the system picks as free. All stay open until all are chosen.
async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise((done) => {
      const server = net.createServer().listen(0, "127.0.0.1", () => done(server));
    })),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

function memoryMb(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)[1]) / 1024;
}

// ------------------------------------------------------------- deployment

// The package's own launcher would sit between us and the server, and a killed
// launcher leaves its server running. So we start the program itself.
function serverProgram() {
  const launcher = require.resolve("@restatedev/restate-server/package.json");
  const platform = `${process.platform}-${process.arch}`;
  return createRequire(launcher).resolve(`@restatedev/restate-server-${platform}/bin/restate-server`);
}

class Deployment {
  static async create() {
    const deployment = new Deployment();
    deployment.directory = mkdtempSync(join(tmpdir(), "peer-restate."));
    directories.add(deployment.directory);
    deployment.notesFile = join(deployment.directory, "notes");
    appendFileSync(deployment.notesFile, "");
    // The ports survive a restart: the server remembers both its own address
    // and that of the service.
    const [node, ingress, admin, service] = await freePorts(4);
    deployment.ports = { node, ingress, admin, service };
    return deployment;
  }

  start({ hold }) {
    const { node, ingress, admin, service } = this.ports;
    const log = (name) => join(this.directory, `${name}.log`);
    this.server = start(serverProgram(), ["--no-logo", "--node-name", "bench"], log("server"), {
      RESTATE_BASE_DIR: join(this.directory, "data"),
      RESTATE_DISABLE_TELEMETRY: "true",
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_BIND_PORT: String(node),
      RESTATE_ADVERTISED_HOST: "127.0.0.1",
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
    });
    const args = [fileURLToPath(import.meta.url), "--role", "service", "--cache", options.cache];
    args.push("--port", String(service), "--notes", this.notesFile, ...(hold ? ["--hold"] : []));
    // Production mode spares the service the cost of pretty logs; errors remain.
    this.service = start(process.execPath, args, log("service"), {
      NODE_ENV: "production",
      RESTATE_LOGGING: "ERROR",
    });
  }

  async register() {
    const url = `http://127.0.0.1:${this.ports.admin}/deployments`;
    await until("registration", () => this.request(url, { uri: `http://127.0.0.1:${this.ports.service}` }));
  }

  async kill() {
    this.server.kill("SIGKILL");
    this.service.kill("SIGKILL");
    await Promise.all([this.server.exited, this.service.exited]);
  }

  async discard() {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
    directories.delete(this.directory);
  }

  // A reply, or undefined while the deployment is not able to give one.
  async request(url, body, headers = {}) {
    for (const child of [this.server, this.service]) {
      if (!children.has(child)) throw new Error(`a process ended by itself:\n${this.logs()}`);
    }
    try {
      const reply = await fetch(url, {
        method: body === undefined ? "GET" : "POST",
        headers: { "content-type": "application/json", ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      const text = await reply.text();
      return reply.ok ? text : undefined;
    } catch {
      return undefined;
    }
  }

  ingress(path) {
    return `http://127.0.0.1:${this.ports.ingress}${path}`;
  }

  // Call a handler and wait for its reply.
  async call(handler, argument) {
    const reply = await this.request(this.ingress(`/bench/${handler}`), argument);
    if (reply === undefined) throw new Error(`${handler} failed:\n${this.logs()}`);
  }

  // Start a handler and return at once with the invocation's id.
  // Asking twice for the same key starts it once, so an unclear reply is no harm.
  async send(handler, argument, key) {
    const url = this.ingress(`/bench/${handler}/send`);
    const reply = await until(`a started ${handler}`, () => this.request(url, argument, { "idempotency-key": key }));
    return JSON.parse(reply).invocationId;
  }

  async completed(id) {
    await until("a completed invocation", () => this.request(this.ingress(`/restate/invocation/${id}/attach`)));
  }

  notes(name) {
    const lines = readFileSync(this.notesFile, "utf8").split("\n").map((line) => line.split(" "));
    return lines
      .filter((fields) => fields[0] === name && fields.length === 3)
      .map(([, at, bodies]) => ({ at: BigInt(at), bodies: Number(bodies) }));
  }

  async noted(name, deadlineMs) {
    return until(`the note "${name}"`, () => this.notes(name)[0], deadlineMs);
  }

  logs() {
    const tail = (name) => readFileSync(join(this.directory, `${name}.log`), "utf8").slice(-2000);
    return `--- server\n${tail("server")}\n--- service\n${tail("service")}`;
  }
}

// ----------------------------------------------------------- measurements

function quantile(samples, q) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}
const round = (value, digits) => Number(value.toFixed(digits));

async function ready(deployment) {
  await deployment.register();
  // The first invocations warm up both processes and are not measured.
  await until("a first reply", () => deployment.request(deployment.ingress("/bench/steps"), 1));
  for (let i = 0; i < 5; i++) await deployment.call("steps", CONCURRENT_STEPS);
}

async function measureSequential(deployment, steps, reps) {
  const perStep = [];
  for (let i = 0; i < reps; i++) {
    const started = now();
    await deployment.call("steps", steps);
    perStep.push((millis(started, now()) * 1000) / steps);
  }
  return { p50_us: round(quantile(perStep, 0.5), 1), p99_us: round(quantile(perStep, 0.99), 1) };
}

async function measureConcurrent(deployment, rounds) {
  const rates = [];
  for (let i = 0; i < rounds; i++) {
    const started = now();
    const calls = Array.from({ length: CONCURRENT_INVOCATIONS }, () => deployment.call("steps", CONCURRENT_STEPS));
    await Promise.all(calls);
    rates.push((CONCURRENT_INVOCATIONS * CONCURRENT_STEPS * 1000) / millis(started, now()));
  }
  return round(quantile(rates, 0.5), 1);
}

async function measureBig(deployment, steps) {
  const started = now();
  const id = await deployment.send("big", steps, "big");
  const reached = await deployment.noted("reached", DEADLINE_MS + steps * 50);
  const memory = memoryMb(deployment.server.pid) + memoryMb(deployment.service.pid);
  await deployment.kill();

  const restarted = now();
  deployment.start({ hold: false });
  const next = await deployment.noted("next");
  await deployment.completed(id);
  // All finished steps must come from the journal. If one had run again, the
  // time above would not be the time to the next effect.
  if (next.bodies !== 0) throw new Error(`${next.bodies} finished steps ran again`);
  return {
    restart_ms: round(millis(restarted, next.at), 1),
    restart_events: steps,
    steps10k_s: round(millis(started, reached.at) / 1000, 3),
    rss_mb: round(memory, 1),
  };
}

async function countDuplicates(deployment, trials) {
  let duplicates = 0;
  for (let trial = 1; trial <= trials; trial++) {
    await deployment.kill();
    deployment.start({ hold: true });
    const effect = `effect-${trial}`;
    const id = await deployment.send("fragile", effect, effect);
    await deployment.noted(effect);
    await deployment.kill();
    deployment.start({ hold: false });
    await deployment.completed(id);
    if (deployment.notes(effect).length > 1) duplicates++;
    console.error(`crash trial ${trial}: effect ran ${deployment.notes(effect).length} times`);
  }
  return duplicates;
}

async function drive() {
  const [reps, rounds, big, trials] = ["reps", "rounds", "big", "trials"].map((name) => {
    const value = Number(options[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a positive integer`);
    return value;
  });
  const version = (name) => require(`${name}/package.json`).version;

  const first = await Deployment.create();
  first.start({ hold: false });
  await ready(first);
  const seq = {};
  for (const steps of SEQUENCES) {
    seq[steps] = await measureSequential(first, steps, reps);
    console.error(`${steps} steps: ${JSON.stringify(seq[steps])}`);
  }
  const concurrent = await measureConcurrent(first, rounds);
  console.error(`concurrent: ${concurrent} steps/s`);
  await first.discard();

  const second = await Deployment.create();
  second.start({ hold: true });
  await second.register();
  const bigRun = await measureBig(second, big);
  console.error(`big: ${JSON.stringify(bigRun)}`);
  const duplicates = await countDuplicates(second, trials);
  await second.discard();

  console.log(JSON.stringify({
    peer: "restate",
    version: `${version("@restatedev/restate-server")} (sdk ${version("@restatedev/restate-sdk")})`,
    seq,
    concurrent_steps_per_s: concurrent,
    ...bigRun,
    duplicates,
    trials,
  }));
}

if (options.role === "service") {
  serve();
} else {
  process.once("SIGINT", () => leave(130));
  process.once("SIGTERM", () => leave(143));
  process.once("SIGHUP", () => leave(129));
  drive().then(
    () => leave(0),
    (error) => {
      console.error(`restate_bench.mjs: ${error.message}`);
      return leave(1);
    },
  );
}
