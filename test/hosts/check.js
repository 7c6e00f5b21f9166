/** Runs in each host: loads the embedded model by each of the entries, completes a prompt, and leaves what came of it. */
export async function check(entries) {
  const results = {};
  for (const [name, open] of Object.entries(entries)) {
    try {
      const model = await open();
      const { text } = await model.complete('Once upon a time', { maxNewTokens: 12 });
      const { kind, threads, reason } = model.device;
      results[name] = { text, kind, threads, reason };
      await model.dispose();
    } catch (error) {
      results[name] = { code: error.code ?? error.name, message: error.message };
    }
  }
  globalThis.results = results;
}
