/** The style of the page. No rule asks for anything outside of it. @internal */
export const STYLE = `
:root{color-scheme:light dark;--bg:#f5f6f8;--panel:#fff;--ink:#171a21;--soft:#59616e;--line:#dfe3e9;--accent:#2456c7;--tint:#eef3ff;
--ok:#176b45;--okbg:#e3f4ea;--notice:#855400;--noticebg:#fdf0d5;--risk:#b3261e;--riskbg:#fde7e5;--unknown:#5b5bb0;--unknownbg:#ececfb}
@media (prefers-color-scheme:dark){:root{--bg:#0e1116;--panel:#161a21;--ink:#e7eaf0;--soft:#9ba5b4;--line:#2a313c;--accent:#92b4ff;--tint:#1b2436;
--ok:#66d39c;--okbg:#11301f;--notice:#f2c265;--noticebg:#332709;--risk:#ff948a;--riskbg:#3b1714;--unknown:#b3b3ff;--unknownbg:#23234a}}
*{box-sizing:border-box}
html{scroll-padding-top:4.5rem}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.92em}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
header,main,footer{max-width:82rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .2rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.4rem 0 .8rem;letter-spacing:-.005em}
h2 small{font-weight:400;color:var(--soft);font-size:.9rem;margin-left:.4rem}
.soft{color:var(--soft)}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--panel);padding:.4rem .8rem;z-index:9}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.8rem;margin:1.3rem 0 1rem;padding:0;list-style:none}
.tiles li{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem;border-top:3px solid var(--ok)}
.tiles li.notice{border-top-color:var(--notice)}.tiles li.risk{border-top-color:var(--risk)}
.tiles b{display:block;font-size:1.55rem;line-height:1.25;font-variant-numeric:tabular-nums}
.tiles b span{font-size:1rem;font-weight:500;color:var(--soft)}
.tiles small{color:var(--soft);font-size:.86rem;display:block}
nav{position:sticky;top:0;z-index:5;background:var(--bg);border-bottom:1px solid var(--line)}
nav div{max-width:82rem;margin:0 auto;padding:.5rem 1.5rem;display:flex;gap:.3rem 1.1rem;align-items:center;flex-wrap:wrap}
nav a{text-decoration:none;font-weight:500;padding:.2rem 0}
nav a:hover{text-decoration:underline}
nav label{display:flex;gap:.4rem;align-items:center;color:var(--soft)}
nav .end{margin-left:auto;display:flex;gap:1rem;align-items:center;flex-wrap:wrap}
input[type=search]{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:7px;padding:.3rem .6rem;width:15rem;max-width:100%}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:1rem 1.1rem}
.scroll{overflow:auto}
.cards{columns:32rem 2;column-gap:1rem}
article{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:.9rem 1.1rem 1rem;border-left:4px solid var(--ok);break-inside:avoid;margin:0 0 1rem}
article.notice{border-left-color:var(--notice)}article.risk{border-left-color:var(--risk)}
article:target{box-shadow:0 0 0 3px var(--accent)}
article h3{font-size:1.02rem;margin:0;overflow-wrap:anywhere}
article h3 span{color:var(--soft);font-weight:500}
article .place{color:var(--soft);font-size:.84rem;overflow-wrap:anywhere;margin:0 0 .6rem}
dl{display:grid;grid-template-columns:8.6rem minmax(0,1fr);margin:0;font-size:.93rem}
dl>div{display:grid;grid-template-columns:subgrid;grid-column:1/-1;padding:.28rem 0;border-top:1px solid var(--line)}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
dd p{margin:0}
.tag{display:inline-block;font-size:.74rem;line-height:1.35;border-radius:99px;padding:0 .5rem;margin-left:.4rem;vertical-align:.08em;background:var(--tint);color:var(--soft);white-space:nowrap;text-indent:0}
.tag.risk,.bad{background:var(--riskbg);color:var(--risk)}.tag.notice{background:var(--noticebg);color:var(--notice)}
body:has(#chosen:checked) .default{display:none}
table{border-collapse:separate;border-spacing:0;font-size:.9rem;width:100%}
th,td{text-align:left;padding:.38rem .55rem;border-bottom:1px solid var(--line);vertical-align:top}
thead th{font-weight:600;color:var(--soft);vertical-align:bottom;background:var(--panel)}
.matrix td{text-align:center;font-variant-numeric:tabular-nums;padding:.38rem .2rem}
.matrix th[scope=row]{position:sticky;left:0;background:var(--panel);font-weight:500;min-width:9.5rem;max-width:18rem;overflow-wrap:break-word}
.matrix thead th{text-align:center;font-size:.8rem;line-height:1.25;padding:.38rem .25rem}.matrix thead th:first-child{text-align:left;padding-left:.55rem}
.matrix tbody tr:last-child>*{border-bottom:0}
.c{display:inline-block;min-width:2.1rem;border-radius:6px;padding:.05rem .35rem}
td.d .c{color:var(--ok);background:var(--okbg)}td.a .c{color:var(--accent);background:var(--tint);font-weight:600}
td.r .c{color:var(--risk);background:var(--riskbg);font-weight:600}td.u .c{color:var(--unknown);background:var(--unknownbg)}
td:focus-visible{outline:none}td:focus-visible .c{outline:2px solid var(--accent);outline-offset:2px}
.legend{display:flex;gap:.3rem 1.2rem;flex-wrap:wrap;margin:.7rem 0 0;padding:0;list-style:none;color:var(--soft);font-size:.86rem}
.said{min-height:1.5em;margin:.5rem 0 0;font-size:.9rem}
details{margin-top:.9rem}
summary{cursor:pointer;color:var(--accent);font-weight:500}
.change{padding:.5rem 0;border-top:1px solid var(--line)}.change:first-child{border-top:0;padding-top:0}
.change h3{font-size:1rem;margin:0 0 .2rem}
.change p{margin:.1rem 0;overflow-wrap:anywhere;border-radius:5px;padding:.08rem .5rem .08rem 1.5rem;text-indent:-1rem}
del,ins{text-decoration:none}
.change p.gone{background:var(--riskbg)}.change p.come{background:var(--okbg)}
.change b{font-weight:600}
svg{display:block;font:13px system-ui,sans-serif}
svg .box{fill:var(--panel);stroke:var(--line)}svg a:hover .box{stroke:var(--accent)}
svg .edge{fill:none;stroke:var(--line);stroke-width:1.6}
svg text{fill:var(--ink)}svg .kind{fill:var(--soft);font-size:11px}svg .head{fill:var(--soft);font-size:12px;font-weight:600}
svg .bar{fill:var(--ok)}svg .bar.notice{fill:var(--notice)}svg .bar.risk{fill:var(--risk)}svg .bar.plain{fill:var(--line)}
svg a{text-decoration:none;outline:none}svg a:focus-visible .box{stroke:var(--accent);stroke-width:2.5}
footer{color:var(--soft);font-size:.86rem;padding-top:2rem;padding-bottom:3rem}
[hidden]{display:none!important}
@media (max-width:40rem){header,main,footer,nav div{padding-left:1rem;padding-right:1rem}dl{grid-template-columns:1fr}dl>div{display:block}nav .end{margin-left:0}}
@media print{:root{color-scheme:light;--bg:#fff;--panel:#fff;--ink:#000;--soft:#444;--line:#bbb}nav,.said,.skip{display:none}body{font-size:11px}
article,.change,tr,.tiles li{break-inside:avoid}h2{break-after:avoid}.scroll{overflow:visible}.cards{columns:2}svg{max-width:100%;height:auto}a{color:inherit}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
`;
