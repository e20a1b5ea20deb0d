// SPDX-License-Identifier: Apache-2.0
// Drives a headless Chromium over its debugging pipe: no packages, only what Node brings.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

export class browser {
  static async start(program) {
    const b = new browser();
    b.profile = mkdtempSync(join(tmpdir(), 'memwall-browser-'));
    b.process = spawn(program, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run', '--disable-extensions', '--force-color-profile=srgb',
      '--host-resolver-rules=MAP * ~NOTFOUND', `--user-data-dir=${b.profile}`, '--remote-debugging-pipe', 'about:blank'],
    {stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe']});
    b.said = '';
    b.process.stderr.on('data', (d) => { b.said = (b.said + d).slice(-4000); });
    b.next = 1;
    b.waiting = new Map();
    b.listeners = [];
    let rest = Buffer.alloc(0);
    b.process.stdio[4].on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        b.receive(JSON.parse(rest.subarray(0, end).toString('utf8')));
        rest = rest.subarray(end + 1);
      }
    });
    b.process.on('exit', (code) => {
      for (const {fail} of b.waiting.values()) fail(new Error(`the browser ended (${code}): ${b.said}`));
    });
    return b;
  }
  receive(message) {
    if (message.id) {
      const {done, fail} = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error) fail(new Error(`${message.error.message} ${message.error.data ?? ''}`));
      else done(message.result);
    } else for (const f of this.listeners) f(message);
  }
  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    return new Promise((done, fail) => {
      this.waiting.set(id, {done, fail});
      this.process.stdio[3].write(`${JSON.stringify({id, method, params, sessionId})}\0`);
    });
  }
  /** Opens a page {width, height, dark}; collects console errors, exceptions and requests that leave the page. */
  async open(url, {width = 1440, height = 900, dark = false} = {}) {
    const {targetId} = await this.send('Target.createTarget', {url: 'about:blank'});
    const {sessionId} = await this.send('Target.attachToTarget', {targetId, flatten: true});
    const p = new page(this, sessionId, targetId);
    this.listeners.push((m) => {
      if (m.sessionId !== sessionId) return;
      if (m.method === 'Runtime.exceptionThrown') p.errors.push(m.params.exceptionDetails.exception?.description ?? m.params.exceptionDetails.text);
      if (m.method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(m.params.type)) p.errors.push(m.params.args.map((a) => a.value ?? a.description).join(' '));
      if (m.method === 'Log.entryAdded' && ['error', 'warning'].includes(m.params.entry.level)) p.errors.push(m.params.entry.text);
      if (m.method === 'Network.requestWillBeSent' && !/^(data:|blob:|file:)/.test(m.params.request.url)) p.requests.push(m.params.request.url);
    });
    await p.send('Performance.enable', {timeDomain: 'threadTicks'});
    for (const domain of ['Runtime', 'Log', 'Network', 'Page']) await p.send(`${domain}.enable`);
    await p.send('Emulation.setDeviceMetricsOverride', {width, height, deviceScaleFactor: 1, mobile: false});
    await p.send('Emulation.setEmulatedMedia', {features: [{name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'}]});
    p.opened = Date.now();
    await p.send('Page.navigate', {url});
    return p;
  }
  async close() {
    try {
      await Promise.race([this.send('Browser.close'), new Promise((r) => setTimeout(r, 3000))]);
    } catch { /* it may be gone before it answers */ }
    const gone = new Promise((r) => this.process.once('exit', r));
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGKILL');
      await gone;
    }
    // Its helpers may still be writing their last words into the profile: that fails a removal, not the page.
    for (let attempt = 0; attempt < 50; ++attempt) {
      try {
        rmSync(this.profile, {recursive: true, force: true});
        return;
      } catch {
        await new Promise((r) => setTimeout(r, 200));
      }
    }
  }
}

class page {
  constructor(b, session, target) {
    Object.assign(this, {browser: b, session, target, errors: [], requests: []});
  }
  send(method, params) { return this.browser.send(method, params, this.session); }
  /** Value of an expression (may be a promise) in the page. */
  async value(expression) {
    const r = await this.send('Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
    if (r.exceptionDetails) throw new Error(`${expression}: ${r.exceptionDetails.exception?.description ?? r.exceptionDetails.text}`);
    return r.result.value;
  }
  /** Processor time that the page's own thread has used. */
  async cpu_ms() {
    const {metrics} = await this.send('Performance.getMetrics');
    return 1000 * (metrics.find((m) => m.name === 'TaskDuration')?.value ?? NaN);
  }
  /** Waits until the expression is true. */
  async until(expression, timeout_ms = 180000) {
    const end = Date.now() + timeout_ms;
    for (;;) {
      let ok = false;
      try { ok = await this.value(expression); } catch { /* the document may still be changing */ }
      if (ok) return ok;
      if (Date.now() > end) throw new Error(`not true after ${timeout_ms} ms: ${expression}; errors: ${this.errors.join(' | ')}`);
      await new Promise((r) => setTimeout(r, 20));
    }
  }
  async mouse(type, x, y, more = {}) { await this.send('Input.dispatchMouseEvent', {type, x, y, ...more}); }
  async click(x, y) {
    await this.mouse('mouseMoved', x, y);
    await this.mouse('mousePressed', x, y, {button: 'left', clickCount: 1});
    await this.mouse('mouseReleased', x, y, {button: 'left', clickCount: 1});
  }
  async press(key, code = key, keyCode = {Enter: 13, Tab: 9, ArrowDown: 40, ArrowRight: 39, Escape: 27}[key] ?? 0) {
    const text = key === 'Enter' ? '\r' : undefined;
    await this.send('Input.dispatchKeyEvent', {type: text ? 'keyDown' : 'rawKeyDown', key, code, text, windowsVirtualKeyCode: keyCode});
    await this.send('Input.dispatchKeyEvent', {type: 'keyUp', key, code, windowsVirtualKeyCode: keyCode});
  }
  /** Keeps a picture of the whole page. */
  async picture(file, {full = true} = {}) {
    const {cssContentSize: size} = await this.send('Page.getLayoutMetrics');
    const clip = full ? {x: 0, y: 0, width: size.width, height: Math.min(size.height, 12000), scale: 1} : undefined;
    const {data} = await this.send('Page.captureScreenshot', {format: 'png', captureBeyondViewport: full, clip});
    writeFileSync(file, Buffer.from(data, 'base64'));
  }
}
