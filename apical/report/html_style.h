#pragma once
// The look of a report. Internal to this room.

namespace apical::report::detail {

inline constexpr const char* style = R"css(
:root{color-scheme:light dark;--paper:#ffffff;--page:#f6f7f9;--ink:#1b1f24;--muted:#59636e;--grid:#d8dee4;--line:#e3e7ec;--accent:#0a63a8;
--c0:#0072B2;--c1:#D55E00;--c2:#00805e;--c3:#B5559A;--c4:#A87800;--c5:#3C8FC4;--c6:#59636e;
--good:#00704f;--good-bg:#e2f4ed;--warn:#7a5200;--warn-bg:#fdf1d8;--bad:#a93a00;--bad-bg:#fdeadf;--none:#59636e;--none-bg:#eceff2}
@media (prefers-color-scheme:dark){:root{--paper:#171b21;--page:#0e1116;--ink:#e6e9ee;--muted:#9aa4b0;--grid:#343c46;--line:#2a313a;--accent:#6cb6f5;
--c0:#56b4e9;--c1:#ff8c42;--c2:#35c79a;--c3:#e08fc7;--c4:#e6b93c;--c5:#8fd0ff;--c6:#9aa4b0;
--good:#5fdcb0;--good-bg:#12332a;--warn:#f0c766;--warn-bg:#3a2f12;--bad:#ff9a66;--bad-bg:#40220f;--none:#a8b1bc;--none-bg:#262d36}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.6 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",sans-serif}
main{max-width:58rem;margin:0 auto;padding:3rem 1.5rem 4rem}
header .over{margin:0;color:var(--accent);font-size:.82rem;font-weight:600;letter-spacing:.06em;text-transform:uppercase}
h1{margin:.2rem 0 .6rem;font-size:clamp(1.8rem,1.2rem + 2.4vw,2.7rem);line-height:1.15;letter-spacing:-.02em;text-wrap:balance}
h2{margin:0 0 .9rem;font-size:1.35rem;line-height:1.3;letter-spacing:-.01em}
p{max-width:46rem;margin:0 0 1rem;overflow-wrap:anywhere}
.lead{font-size:1.12rem;color:var(--muted);margin-bottom:1.6rem}
.notice{background:var(--warn-bg);color:var(--warn);border-radius:.6rem;padding:.7rem 1rem;margin:0 0 1rem;max-width:none;font-weight:500}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.8rem;margin:0 0 1.6rem;padding:0}
.card{background:var(--paper);border:1px solid var(--line);border-radius:.8rem;padding:.9rem 1.1rem 1rem;border-top:3px solid var(--grid);min-width:0}
.card.good{border-top-color:var(--c2)}.card.bad{border-top-color:var(--c1)}
.card dt{color:var(--muted);font-size:.84rem}
.card .value{margin:.1rem 0 0;font-size:1.5rem;font-weight:650;line-height:1.25;letter-spacing:-.02em;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.card .note{margin:.15rem 0 0;color:var(--muted);font-size:.84rem;line-height:1.4}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:0 0 1.6rem;font-size:.92rem}
a{color:var(--accent);text-decoration:none}a:hover,a:focus-visible{text-decoration:underline}
section{background:var(--paper);border:1px solid var(--line);border-radius:.9rem;padding:1.6rem 1.7rem 1.3rem;margin:0 0 1.3rem}
figure{margin:0 0 1.2rem;min-width:0}
figure .art{overflow-x:auto;overflow-y:hidden}
figure svg{display:block;height:auto;width:100%;max-width:50rem;min-width:min(27rem,100%)}
figure.natural svg{width:auto;max-width:100%}.pair svg{min-width:0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,23rem),1fr));gap:0 1.6rem;align-items:start}
figcaption{color:var(--muted);font-size:.9rem;line-height:1.5;max-width:46rem;margin-top:.35rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.93rem;line-height:1.45}
th{color:var(--muted);font-weight:600;font-size:.82rem;text-align:left;vertical-align:bottom}
th,td{padding:.5rem .8rem .5rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tbody tr:last-child td{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th.n{white-space:normal}
.claims{margin-bottom:1.2rem}.claims td:first-child{min-width:15rem}.claims td:last-child{padding-right:0;min-width:7.5rem}
.claims .id{display:block;color:var(--muted);font-size:.82rem}
.badge{display:inline-block;border-radius:.9rem;line-height:1.35;padding:.08rem .65rem;font-size:.84rem;font-weight:600;background:var(--none-bg);color:var(--none)}
.badge.good{background:var(--good-bg);color:var(--good)}.badge.warn{background:var(--warn-bg);color:var(--warn)}.badge.bad{background:var(--bad-bg);color:var(--bad)}
pre{margin:0 0 1rem;background:var(--page);border:1px solid var(--line);border-radius:.6rem;padding:.8rem 1rem;overflow-x:auto;font:.88rem/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.facts{display:grid;grid-template-columns:minmax(7rem,max-content) 1fr;gap:.25rem 1.4rem;margin:0 0 1.2rem;font-size:.93rem}
.facts dt{color:var(--muted)}.facts dd{margin:0;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--accent);margin-bottom:.6rem}
footer{color:var(--muted);font-size:.85rem}
@media (max-width:40rem){main{padding:1.6rem .9rem 3rem}section{padding:1.1rem 1rem .9rem}figure .art{margin:0 -.3rem}
.cards{grid-template-columns:1fr 1fr;gap:.6rem}.card{padding:.7rem .8rem .8rem}.card .value{font-size:1.35rem}
figure svg{min-width:27rem}.pair svg{min-width:20rem}figure.natural svg{min-width:0}
.claims thead{display:none}.claims tr{display:block;border-bottom:1px solid var(--line);padding:.6rem 0}.claims tbody tr:last-child{border-bottom:0}
.claims td{display:flex;justify-content:space-between;gap:1rem;border:0;padding:.12rem 0;text-align:right;white-space:normal}
.claims td::before{content:attr(data-label);color:var(--muted);font-size:.82rem;text-align:left}
.claims td:empty{display:none}.claims td:first-child{display:block;text-align:left;font-weight:500}.claims td:first-child::before{content:none}}
@media print{:root{color-scheme:light;--paper:#fff;--page:#fff;--ink:#000;--muted:#444;--grid:#bbb;--line:#ccc;--accent:#000;
--c0:#0072B2;--c1:#C65300;--c2:#007656;--c3:#A34888;--c4:#946900;--c5:#3C8FC4;--c6:#555;
--good:#004d37;--good-bg:#e2f4ed;--warn:#5c3e00;--warn-bg:#fdf1d8;--bad:#7a2a00;--bad-bg:#fdeadf;--none:#333;--none-bg:#eee}
body{font-size:10.5pt}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}main{max-width:none;padding:0}nav{display:none}
section{border:0;padding:0;margin-bottom:1.4rem}figure,.card,tr{break-inside:avoid}h2{break-after:avoid}pre{white-space:pre-wrap}
.cards{grid-template-columns:repeat(4,1fr)}figure svg{max-width:15cm}}
)css";

}  // namespace apical::report::detail
