(()=>{function e(t,o){return t.reduce((n,i)=>n+o(i),0)}var r=class{items;total(){return e(this.items,o=>o.price)}};function s(t){return`<b>${t.total()}</b>`}function u(){let t=s(new r);console.log(t)}u();})();
//# sourceMappingURL=app.3f2a1b.js.map
