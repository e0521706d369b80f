import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { app, dialog, type BrowserWindow } from 'electron';

/** Asks the person where to put a text, and writes it there, for them alone. @returns undefined when they closed the question */
export async function saveFile(window: BrowserWindow, name: string, text: string): Promise<string | undefined> {
  const defaultPath = path.join(app.getPath('home'), name);
  const { canceled, filePath } = await dialog.showSaveDialog(window, { defaultPath });
  if (canceled || filePath === '') return undefined;
  await writeFile(filePath, text, { mode: 0o600 });
  return filePath;
}
