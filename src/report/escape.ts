/**
 * Text made harmless in the languages that reports are written in. Names come from models, which are not trusted: whatever they
 * hold, no markup, command, formula or control sequence comes of it. Control and direction-changing characters never get through.
 */

/** Controls, lone surrogates, and what reorders the text around it (the bidirectional controls of Unicode). */
const unprintable =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export function printable(text: string, substitute = '\ufffd'): string {
  return text.replace(unprintable, substitute);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and quoted attributes of HTML and XML alike. */
export function escapeMarkup(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

const numeric = (character: string): string => `&#${character.codePointAt(0)};`;

/** Underscores inside a word emphasize nothing. */
const outerUnderscore = /(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g;

/** A name in Markdown, in code type. Entities mean the same inside tables and nobody is mentioned from within code. */
export function markdownName(text: string): string {
  const safe = printable(text).replace(/[^\w ./-]/g, (character) =>
    character > '\u007f' ? character : numeric(character),
  );
  return `<code>${safe.replace(outerUnderscore, numeric)}</code>`;
}

/** A sentence in Markdown: what could be markup becomes entities, and an @ no longer calls anyone. */
export function markdownText(text: string): string {
  return printable(text)
    .replace(/[&<>\\`*[\]|~#]/g, numeric)
    .replace(outerUnderscore, numeric)
    .replaceAll('@', '@\u200b');
}

/** The message of a GitHub workflow command. */
export function commandMessage(text: string): string {
  return printable(text, '?').replaceAll('%', '%25');
}

/** A property of a GitHub workflow command. */
export function commandProperty(text: string): string {
  return commandMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

/** A text cell of a CSV file (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front. */
export function csvText(text: string): string {
  const safe = printable(text).replace(/^[=+\-@]/, "'$&");
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
