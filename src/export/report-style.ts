/** The look of a report: readable on a screen, and on paper without its colours. */
export const REPORT_STYLE = `
:root { --text: #15181c; --muted: #5a6472; --line: #e6e9ed; --panel: #fff; --page: #f5f6f8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 14px/1.5 Inter, system-ui, sans-serif; font-variant-numeric: tabular-nums; }
header, main { max-width: 1040px; margin: 0 auto; padding: 24px; }
header { padding-bottom: 0; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 24px 0 12px; }
main > section:first-child h2 { margin-top: 0; }
h2 small { font-size: 13px; font-weight: 400; color: var(--muted); margin-left: 8px; }
h3 { font-size: 14px; margin: 20px 0 4px; }
.brand { margin: 0; font-weight: 600; color: var(--muted); }
.muted, figcaption, caption { color: var(--muted); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 16px; }
.card, figure, table { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; }
.card { padding: 16px; }
.card p { margin: 12px 0 0; padding-top: 12px; border-top: 1px solid var(--line); color: var(--muted); }
.answer { display: grid; grid-template-columns: 1.35fr 1.2fr repeat(3, 1fr); gap: 8px 12px; align-items: start; }
.answer span { display: block; font-size: 12px; color: var(--muted); }
.answer b { font-size: 14px; white-space: nowrap; }
.answer strong { font-size: 19px; line-height: 1.2; text-transform: capitalize; }
.vanishing { color: #7a4896; } .carried { color: #1d7a4b; } .exploding { color: #c01f45; } .undetermined { color: #5a6472; }
figure { margin: 16px 0; padding: 16px; }
figcaption b { color: var(--text); margin-right: 8px; }
figure svg { display: block; max-width: 100%; height: auto; }
table { width: 100%; border-collapse: separate; border-spacing: 0; margin: 16px 0; }
caption { text-align: left; padding: 0 0 4px; font-weight: 600; }
th, td { text-align: right; padding: 6px 12px; border-top: 1px solid var(--line); font-weight: 400; vertical-align: top; }
thead th { border-top: 0; color: var(--muted); font-size: 12px; }
th:first-child, td:nth-child(2) { text-align: left; } thead th:nth-child(2) { text-align: left; }
dt { font-weight: 600; margin-top: 12px; } dd { margin: 0; } dd code { font: 13px ui-monospace, monospace; }
@media print { body { background: #fff; } .card, figure, table { break-inside: avoid; } }
`;
