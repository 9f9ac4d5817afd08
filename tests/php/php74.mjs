// PHP 7.4 in WebAssembly as if it were `php`: node php74.mjs [-l] <file> [<argument> ...]
// It has no disk of its own: what lies under the folders that the arguments name is copied in first.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { getPHPLoaderModule } from "@php-wasm/node-7-4";
import { loadPHPRuntime, PHP } from "@php-wasm/universal";

const given = process.argv.slice(2);
const php = new PHP(await loadPHPRuntime(await getPHPLoaderModule(), {}));

const copy = (path) => {
  if (statSync(path).isDirectory()) {
    php.mkdirTree(path);
    for (const name of readdirSync(path)) if (name !== "node_modules") copy(join(path, name));
  } else {
    php.mkdirTree(dirname(path));
    php.writeFile(path, readFileSync(path));
  }
};
const paths = given.filter((word) => !word.startsWith("-")).map((word) => resolve(word));
for (const path of paths) copy(statSync(path).isDirectory() ? path : dirname(path));

const done = await php.cli(["php", ...given.map((word) => (word.startsWith("-") ? word : resolve(word)))]);
process.stdout.write(await done.stdoutText);
process.stderr.write(await done.stderrText);
process.exit(await done.exitCode);
