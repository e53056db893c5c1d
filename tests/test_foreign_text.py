"""Stacks of other languages are read into frames, and group as their authors would group them."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loghub import foreign_text
from loghub.fingerprint import of_event
from loghub.foreign_text import parse_foreign, shape
from loghub.foreign_text.shape import MAX_TEXT

GO_HTTP = """\
2026/03/19 12:10:49 http: panic serving [::1]:58424: runtime error: index out of range [5] with length 3
goroutine 78 [running]:
net/http.(*conn).serve.func1()
\t/usr/local/go/src/net/http/server.go:1947 +0xb0
panic({0x102508980?, 0x10256dd90?})
\t/usr/local/go/src/runtime/panic.go:792 +0x124
example.com/shop/internal/cart.(*Store).Total(0x14000108ae8, {0x1400017af00, 0x3})
\t/build/shop/internal/cart/store.go:44 +0x9c
example.com/shop/internal/web.Routes.func2({0x1025720b8, 0x1400016cc40}, 0x1)
\t/build/shop/internal/web/routes.go:91 +0x38
github.com/go-chi/chi/v5.(*Mux).ServeHTTP(0x0?, {0x1025720b8, 0x1400016cc40}, 0x1)
\t/go/pkg/mod/github.com/go-chi/chi/v5@v5.0.10/mux.go:73 +0x1b4
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3285 +0x4b4
"""
GO_HTTP_OTHER = """\
web-1  | 2026/04/02 01:00:00 http: panic serving 10.0.0.7:4000: runtime error: index out of range [9] with length 9
web-1  | goroutine 1234 [running]:
web-1  | net/http.(*conn).serve.func1()
web-1  | \tnet/http/server.go:1950 +0xb1
web-1  | panic({0x99, 0x98})
web-1  | \truntime/panic.go:770 +0x132
web-1  | example.com/shop/internal/cart.(*Store).Total(...)
web-1  | \texample.com/shop/internal/cart/store.go:47
web-1  | example.com/shop/internal/web.Routes.func3({0x77, 0x66}, 0x5)
web-1  | \texample.com/shop/internal/web/routes.go:90 +0x3c
web-1  | github.com/go-chi/chi/v5.(*Mux).ServeHTTP(0x0?, {0x1, 0x2}, 0x1)
web-1  | \tgithub.com/go-chi/chi/v5@v5.1.0/mux.go:73 +0x1b4
web-1  | created by net/http.(*Server).Serve in goroutine 7
web-1  | \tnet/http/server.go:3290 +0x4b4
"""
GO_REPANIC = """\
panic: assignment to entry in nil map [recovered]
\tpanic: assignment to entry in nil map

goroutine 6 [running]:
testing.tRunner.func1.2({0x1, 0x2})
\t/usr/local/go/src/testing/testing.go:1396 +0x24e
main.guard.func1()
\t/src/app/guard.go:12 +0x5d
panic({0x1, 0x2})
\t/usr/local/go/src/runtime/panic.go:884 +0x212
main.count[...](0xc00001)
\t/src/app/count.go:30 +0x20
main.main()
\t/src/app/main.go:9 +0x1d
exit status 2
"""
GO_DEADLOCK = """\
fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive, 2 minutes]:
main.wait(...)
\t/app/main.go:14
main.main()
\t/app/main.go:20 +0x5a

goroutine 18 [select]:
main.other()
\t/app/other.go:3 +0x11
"""
GO_VENDORED = """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x8 pc=0x47f1c2]

goroutine 20 [running]:
github.com/lib/pq.(*conn).send(0xc0)
\t/home/kim/go/src/github.com/lib/pq/conn.go:99 +0x10
main.load.func1(0xc0)
\t/home/kim/go/src/example.com/kim/tool/load.go:9 +0x1c
created by main.load
\t/home/kim/go/src/example.com/kim/tool/load.go:5 +0x77
"""

JAVA = """\
2026-05-01 10:00:00.123 ERROR 1 --- [nio-8080-exec-3] o.a.c.c.C.[dispatcherServlet] : Servlet.service() failed
org.shop.OrderException: order 17 failed
\tat org.shop.OrderService.lambda$place$3(OrderService.java:88) ~[classes!/:na]
\tat java.base/java.util.Optional.map(Optional.java:260) ~[na:na]
\tat org.shop.OrderService.place(OrderService.java:80) ~[classes!/:na]
\tat org.shop.OrderService$$SpringCGLIB$$0.place(<generated>) ~[classes!/:na]
\tat jdk.internal.reflect.GeneratedMethodAccessor57.invoke(Unknown Source) ~[na:na]
\tat org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:207)
\t\tSuppressed: java.io.IOException: close failed
\t\t\tat org.shop.Connection.close(Connection.java:9)
\t\tCaused by: java.io.EOFException: no more
\t\t\tat org.shop.Connection.read(Connection.java:7)
\t... 48 common frames omitted
Caused by: java.sql.SQLException: no row
\tat com.zaxxer.hikari.pool.ProxyStatement.run(ProxyStatement.java:12) ~[HikariCP-5.0.jar!/:na]
\tat org.shop.OrderStore$1.fetch(OrderStore.java:31) ~[classes!/:na]
\t... 50 common frames omitted
2026-05-01 10:00:01.000  INFO 1 --- [main] o.shop.Other : going on
"""
JAVA_OTHER = """\
[pod/shop-7f/web] org.shop.OrderException: order 99 failed
[pod/shop-7f/web] \tat org.shop.OrderService.lambda$place$4(OrderService.java:91)
[pod/shop-7f/web] \tat java.base@21.0.1/java.util.Optional.map(Optional.java:267)
[pod/shop-7f/web] \tat org.shop.OrderService.place(OrderService.java:83)
[pod/shop-7f/web] \tat org.shop.OrderService$$EnhancerBySpringCGLIB$$77ee01ab.place(<generated>)
[pod/shop-7f/web] \tat jdk.internal.reflect.GeneratedMethodAccessor9.invoke(Unknown Source)
[pod/shop-7f/web] \t... 31 more
[pod/shop-7f/web] Caused by: java.sql.SQLException: no row
[pod/shop-7f/web] \tat org.shop.OrderStore$2.fetch(OrderStore.java:35)
[pod/shop-7f/web] \t... 33 more
"""
KOTLIN = """\
Exception in thread "DefaultDispatcher-worker-1" kotlin.UninitializedPropertyAccessException: lateinit property db
\tat app.jobs.SyncKt.sync(Sync.kt:12)
\tat app.jobs.SyncKt$main$1.invokeSuspend(Sync.kt:20)
\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(ContinuationImpl.kt:33)
\tat kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:106)
"""
SCALA = """\
Exception in thread "main" scala.MatchError: 7 (of class java.lang.Integer)
\tat shop.Pricing$.$anonfun$total$2(Pricing.scala:14)
\tat scala.collection.immutable.List.map(List.scala:246)
\tat shop.Pricing$.total(Pricing.scala:12)
\tat shop.Main.main(Main.scala)
"""
LOGBACK_ROOT_FIRST = """\
java.net.ConnectException: refused
\tat java.base/sun.nio.ch.Net.connect(Native Method)
\tat org.shop.Mailer.connect(Mailer.java:4)
\t... 3 common frames omitted
Wrapped by: org.shop.MailException: no mail
\tat org.shop.Mailer.send(Mailer.java:19)
\tat org.shop.Main.main(Main.java:3)
"""

DOTNET = """\
Unhandled exception. System.InvalidOperationException: Could not load
 ---> System.IO.FileNotFoundException: Could not find file '/app/a.json'.
File name: '/app/a.json'
   at System.IO.FileStream.ValidateHandle(SafeFileHandle handle, FileAccess access)
   at Shop.Config.Loader.<>c__DisplayClass3_0.<Read>b__1(String name) in /src/Shop/Config/Loader.cs:line 21
   --- End of inner exception stack trace ---
   at Shop.Config.Loader.Read[T](String name, Func`2 make) in /src/Shop/Config/Loader.cs:line 30
   at Shop.Program.<Main>$(String[] args) in /src/Shop/Program.cs:line 5
"""
DOTNET_OTHER = """\
Unhandled Exception: System.InvalidOperationException: Could not load ---> System.IO.FileNotFoundException: \
Could not find
   at System.IO.FileStream.ValidateHandle(SafeFileHandle handle, FileAccess access)
   at Shop.Config.Loader.<>c__DisplayClass4_0.<Read>b__2(String name)
   --- End of inner exception stack trace ---
   at Shop.Config.Loader.Read[T](String name, Func`2 make)
   at Shop.Program.<Main>$(String[] args)
"""
DOTNET_LOCAL = """\
fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id "0HM", Request id "0HM:1": An unhandled exception was thrown by the application.
      System.ArgumentNullException: Value cannot be null. (Parameter 'key')
         at Shop.Cart..ctor(String key)
         at Shop.Carts.<<Open>b__0>d.MoveNext()
      --- End of stack trace from previous location ---
         at Shop.Carts.<Open>g__Check|2_0(Int32 n)
         at Microsoft.AspNetCore.Routing.EndpointMiddleware.<Invoke>g__AwaitRequestTask|6_0(Endpoint endpoint)
"""
DOTNET_GERMAN = """\
System.NullReferenceException: Der Objektverweis wurde nicht auf eine Objektinstanz festgelegt.
   bei Shop.Waren.Laden(Int32 nummer) in C:\\bau\\Waren.cs:Zeile 12.
   bei Shop.Programm.Main(String[] args)
"""
MONO = """\
[ERROR] FATAL UNHANDLED EXCEPTION: System.Exception: broken
  at Game.Level.Load (System.String name) [0x00012] in <6a1b2c3d4e5f>:0
  at Game.Program.Main (System.String[] args) [0x00000] in /src/Program.cs:9
"""

RUST_OLD = """\
thread 'main' panicked at 'assertion failed: `(left == right)`
  left: `1`,
 right: `2`', src/cart.rs:10:5
stack backtrace:
   0: rust_begin_unwind
             at /rustc/a178d0322ce20e33eac124758e837cbd80a6f633/library/std/src/panicking.rs:584:5
   1: core::panicking::panic_fmt
             at /rustc/a178d0322ce20e33eac124758e837cbd80a6f633/library/core/src/panicking.rs:142:14
   2: shop::cart::Cart::total::{{closure}}
             at ./src/cart.rs:10:5
   3: <shop::cart::Cart as shop::Sum>::sum
             at ./src/cart.rs:20:9
   4: shop::main
             at ./src/main.rs:4:5
   5: core::ops::function::FnOnce::call_once
             at /rustc/a178d0322ce20e33eac124758e837cbd80a6f633/library/core/src/ops/function.rs:248:5
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
RUST_FULL = """\
thread 'main' (4711) panicked at src\\cart.rs:12:5:
assertion `left == right` failed
  left: 3
 right: 4
stack backtrace:
   0:     0x7ff6a1b2c3d4 - std::backtrace_rs::backtrace::trace::h0123456789abcdef
   1:     0x7ff6a1b2c3d5 - rust_begin_unwind
   2:     0x7ff6a1b2c3d6 - core::panicking::panic_fmt::h00112233445566aa
   3:     0x7ff6a1b2c3d7 - shop::cart::Cart::total::{{closure}}::hfedcba9876543210
                               at C:\\work\\shop\\src\\cart.rs:12:5
   4:     0x7ff6a1b2c3d8 - <shop::cart::Cart as shop::Sum>::sum::hfedcba9876543211
                               at C:\\work\\shop\\src\\cart.rs:22
   5:     0x7ff6a1b2c3d9 - shop::main::h1111111111111111
                               at C:\\work\\shop\\src\\main.rs:4
   6:     0x7ff6a1b2c3da - main
"""
RUST_ANYHOW = """\
[2026-01-08T16:23:36Z INFO  shop] Loading
Error: no data for "map.yaml"

Caused by:
    No such file or directory (os error 2)

Stack backtrace:
   0: anyhow::context::<impl anyhow::Context<T,E> for core::result::Result<T,E>>::with_context
   1: shop::data::Source::<alloc::string::String>::stream
   2: <core::iter::adapters::map::Map<I,F> as core::iter::traits::iterator::Iterator>::try_fold
   3: shop::run::{{closure}}
   4: tokio::runtime::park::CachedParkThread::block_on
   5: shop::main
"""
RUST_WORKER = """\
thread 'tokio-runtime-worker' panicked at crates/shop-db/src/pool.rs:64:9:
called `Result::unwrap()` on an `Err` value: Timeout(5)
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""

PHP = """\
PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] No such file in /srv/www/src/Db/Pool.php:31
Stack trace:
#0 /srv/www/src/Db/Pool.php(31): PDO->__construct('mysql:host=...', 'shop', Object(SensitiveParameterValue))
#1 /srv/www/vendor/league/container/src/Container.php(88): Shop\\Db\\Pool->Shop\\Db\\{closure}(Object(Container))
#2 /srv/www/public/index.php(9): League\\Container->get('db')
#3 {main}

Next Shop\\Unavailable: no database in /srv/www/src/Kernel.php:12
Stack trace:
#0 /srv/www/public/index.php(10): Shop\\Kernel->boot()
#1 {main}
  thrown in /srv/www/src/Kernel.php on line 12
"""
PHP_FPM = """\
2026/02/10 13:05:41 [error] 19#19: *823 FastCGI sent in stderr: "PHP message: PHP Fatal error:  Uncaught Error: \
Call to \
a member function name() on null in /var/www/html/wp-content/plugins/shop/card.php:248
Stack trace:
#0 /var/www/html/wp-includes/class-wp-hook.php(308): Shop_Card->render('')
#1 /var/www/html/wp-includes/plugin.php(517): WP_Hook->do_action(Array)
#2 {main}
  thrown in /var/www/html/wp-content/plugins/shop/card.php on line 248" while reading response header from upstream
"""
PHP_LARAVEL = """\
[2026-06-17 16:37:25] production.ERROR: Undefined variable $total {"userId":7,"exception":"[object] (ErrorException\
(code: 0): Undefined variable $total at /var/www/app/Http/Controllers/CartController.php:33)
[stacktrace]
#0 /var/www/app/Http/Controllers/CartController.php(33): \
Illuminate\\\\Foundation\\\\Bootstrap\\\\HandleExceptions->handleError()
#1 [internal function]: App\\\\Http\\\\Controllers\\\\CartController->show('17')
#2 /var/www/vendor/laravel/framework/src/Illuminate/Routing/Controller.php(54): call_user_func_array(Array, Array)
#3 {main}
"}
"""
PHP_MEMORY = """\
PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 4096 bytes) in \
/srv/a/list.php on line 7
"""

RUBY_OLD = """\
/app/lib/cart.rb:12:in `/': divided by 0 (ZeroDivisionError)
\tfrom /app/lib/cart.rb:12:in `block in total'
\tfrom /app/lib/cart.rb:11:in `each'
\tfrom /app/lib/cart.rb:11:in `total'
\tfrom /usr/local/bundle/gems/rack-2.2.3/lib/rack/handler.rb:9:in `call'
\tfrom bin/shop:4:in `<main>'
"""
RUBY_NEW = """\
/srv/shop/lib/cart.rb:14:in 'Integer#/': divided by 0 (ZeroDivisionError)

      lines.each { |line| sum += line / 0 }
                                        ^
\tfrom /srv/shop/lib/cart.rb:14:in 'block in Shop::Cart#total'
\tfrom <internal:array>:42:in 'Array#each'
\tfrom /srv/shop/lib/cart.rb:13:in 'Shop::Cart#total'
\tfrom /usr/local/bundle/gems/rack-3.1.0/lib/rack/handler.rb:9:in 'Rack::Handler.call'
\tfrom bin/shop:4:in '<main>'
"""
RUBY_REVERSED = """\
Traceback (most recent call last):
\t5: from bin/shop:4:in `<main>'
\t4: from /usr/local/bundle/gems/rack-2.2.3/lib/rack/handler.rb:9:in `call'
\t3: from /app/lib/cart.rb:11:in `total'
\t2: from /app/lib/cart.rb:11:in `each'
\t1: from /app/lib/cart.rb:12:in `block in total'
/app/lib/cart.rb:12:in `/': divided by 0 (ZeroDivisionError)
"""
RUBY_RAILS = """\
F, [2026-07-12T06:19:35.7 #4]  FATAL -- : [a1b2]
ActionView::Template::Error (undefined method `name' for nil:NilClass):
    1: <h1><%= @cart.name %></h1>

app/views/carts/show.html.erb:1:in `_app_views_carts_show_html_erb___1424480621227634094_69868529840400'
actionview (4.2.5.2) lib/action_view/template.rb:145:in `block in render'
app/controllers/carts_controller.rb:9:in `show'
"""
RUBY_SIDEKIQ = """\
20:54:23 sidekiq.1 | WARN: NoMethodError: undefined method `pay' for #<Cart:0x000055d1>
20:54:23 sidekiq.1 | /app/app/jobs/pay_job.rb:6:in `perform'
20:54:23 sidekiq.1 | /layers/ruby.bundle/gems/ruby/3.2.0/gems/sidekiq-7.3.7/lib/sidekiq/processor.rb:68:in `execute_job'
"""

ASAN = """\
=================================================================
==18954==ERROR: AddressSanitizer: heap-use-after-free on address 0x62503173e040 at pc 0x0000004030f9 bp 0x7f22 sp 0x7f21
READ of size 8 at 0x62503173e040 thread T2
    #0 0x4030f8 in cleanup(queue*, int) /src/queue/queue.cpp:75:12
    #1 0x40434a in ns::Bench<int>::run(std::vector<int, std::allocator<int> > const&) /src/queue/bench.cpp:52
    #2 0x7f2249e1b183 in start_thread (/lib/x86_64-linux-gnu/libpthread.so.0+0x8183) (BuildId: 0a1b)
    #3 0x7f2249e1b184 in __libc_start_call_main csu/../sysdeps/nptl/libc_start_call_main.h:58:16
    #4 0x7f224984237c in clone (/lib/x86_64-linux-gnu/libc.so.6+0xfa37c)

0x62503173e040 is located 64 bytes inside of 384-byte region
freed by thread T2 here:
    #0 0x7f224a0c51aa in __interceptor_free (/usr/lib/x86_64-linux-gnu/libasan.so.2+0x941aa)
    #1 0x4032e7 in other /src/queue/queue.cpp:99
"""
GDB = """\
Thread 1 "shop" received signal SIGSEGV, Segmentation fault.
#0  __GI_raise (sig=sig@entry=6) at ../sysdeps/unix/sysv/linux/raise.c:50
#1  0x00007ffff7a in abort () from /lib64/libc.so.6
#2  0x0000555555 in shop::Cart::total (this=0x5555, n=7) at /src/cart.cpp:31
#3  0x0000555556 in (anonymous namespace)::run (args=...)
    at /src/main.cpp:12
#4  0x0000555557 in main (argc=1, argv=0x7ff) at /src/main.cpp:20
"""
GLIBC = """\
*** stack smashing detected ***: /usr/sbin/shopd terminated
======= Backtrace: =========
/lib64/libc.so.6(__fortify_fail+0x37)[0x7fa30a7a7527]
/usr/sbin/shopd(parse_line+0x671)[0x5561755e2671]
/usr/sbin/shopd(+0x8f6b2)[0x5561755e26b2]
/usr/sbin/shopd(main+0xa5)[0x5561755f17a5]
/lib64/libc.so.6(__libc_start_main+0xf5)[0x7fa30a6b1b35]
======= Memory map: ========
"""
ASSERTION = "shop: ../src/cart.c:44: int total(cart_t *): Assertion `n > 0' failed.\nAborted (core dumped)\n"
BOOST = """\
terminate called after throwing an instance of 'shop::Empty<int>'
  what():  nothing in it
 0# shop::take(int) at /src/take.cpp:9
 1# main in ./shop
 2# __libc_start_main in /lib/x86_64-linux-gnu/libc.so.6
"""
LIBCPP = "libc++abi: terminating due to uncaught exception of type std::out_of_range: vector\n"
UBSAN = "src/cart.c:12:7: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'\n"

ELIXIR = """\
15:22:12.555 [error] GenServer Shop.Consumer terminating
** (FunctionClauseError) no function clause matching in Shop.Consumer.terminate/2
    (shop 0.1.0) lib/shop/consumer.ex:306: Shop.Consumer.terminate({:noproc, [1, 2]}, %{a: 1})
    (stdlib 5.2) gen_server.erl:673: :gen_server.try_terminate/3
    (shop 0.1.0) lib/shop/app.ex:9: anonymous fn/1 in Shop.App.start/2
Last message: :init
"""
PERL = """\
Can't locate object method "pay" via package "Cart" at lib/Shop/Cart.pm line 12.
\tShop::Cart::pay("Shop::Cart", 7) called at bin/shop.pl line 30
"""

SAME = {
    "go": (GO_HTTP, GO_HTTP_OTHER),
    "java": (JAVA, JAVA_OTHER),
    "java, another thread": (
        KOTLIN,
        KOTLIN.replace("worker-1", "worker-7").replace("$1.", "$2.").replace(":20", ":24"),
    ),
    "dotnet": (DOTNET, DOTNET_OTHER),
    "rust": (RUST_OLD, RUST_FULL),
    "rust, another value": (RUST_WORKER, RUST_WORKER.replace("Timeout(5)", "Timeout(7)").replace(":64:", ":70:")),
    "ruby": (RUBY_OLD, RUBY_NEW, RUBY_REVERSED),
    "php": (PHP, PHP.replace("/srv/www/", "/home/kim/shop/").replace("(31)", "(33)").replace(":31", ":33")),
    "php, memory": (PHP_MEMORY, PHP_MEMORY.replace("4096", "65536").replace("/srv/a/", "/var/b/")),
    "asan": (ASAN, ASAN.replace("0x4", "0x9").replace("/src/", "/builds/x/").replace(":75:", ":77:")),
    "glibc": (GLIBC, GLIBC.replace("0x671", "0x981").replace("5561", "5599")),
    "gdb": (GDB, GDB.replace("n=7", "n=8").replace(":31", ":35").replace("0x5555", "0x6666")),
    "elixir": (ELIXIR, ELIXIR.replace(":noproc", ":normal").replace("306", "310")),
}
ALL = {name: text for name, text in globals().items() if name.isupper() and isinstance(text, str)}


def group(text: str, **more: object) -> str:
    """Return the fingerprint of what the process wrapper makes of a child's last words."""
    return of_event({"error_type": "exit", "platform": "native", "mechanism": "process", "traceback": text, **more})


def functions(text: str) -> list[str]:
    """Return the functions of the application's frames, outermost first."""
    found = parse_foreign(text)
    assert found is not None
    return [frame["function"] for frame in found["frames"] if frame["in_app"]]


@pytest.mark.parametrize("name", SAME)
def test_one_bug(name):
    """Other builds, machines, releases and values of one bug are one group."""
    assert len({group(text) for text in SAME[name]}) == 1


def test_many_bugs():
    """Different bugs are different groups."""
    firsts = {texts[0] for texts in SAME.values()}
    others = [text for text in ALL.values() if not any(text in texts for texts in SAME.values())]
    distinct = [*firsts, *others]
    assert len({group(text) for text in distinct}) == len(distinct)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GO_HTTP, ["Routes", "Store.Total"]),
        (GO_REPANIC, ["main", "count"]),
        (GO_DEADLOCK, ["main", "wait"]),
        (GO_VENDORED, ["load", "load"]),
        (JAVA, ["OrderService.place", "OrderService.place"]),
        (KOTLIN, ["SyncKt.main.invokeSuspend", "SyncKt.sync"]),
        (SCALA, ["Main.main", "Pricing.total", "Pricing.total"]),
        (DOTNET, ["Program.Main", "Loader.Read"]),
        (DOTNET_LOCAL, ["Carts.Check", "Carts.Open", "Cart.ctor"]),
        (DOTNET_GERMAN, ["Programm.Main", "Waren.Laden"]),
        (MONO, ["Program.Main", "Level.Load"]),
        (RUST_OLD, ["shop::main", "shop::cart::Cart::sum", "shop::cart::Cart::total"]),
        (RUST_ANYHOW, ["shop::main", "shop::run", "shop::data::Source::stream"]),
        (PHP, ["{main}", "Shop\\Kernel.boot"]),
        (PHP_FPM, ["Shop_Card.render"]),
        (PHP_LARAVEL, ["App\\Http\\Controllers\\CartController.show"]),
        (RUBY_OLD, ["<main>", "total", "total"]),
        (RUBY_RAILS, ["show", "_app_views_carts_show_html_erb"]),
        (RUBY_SIDEKIQ, ["perform"]),
        (ASAN, ["ns::Bench::run", "cleanup"]),
        (GDB, ["main", "{anonymous}::run", "shop::Cart::total"]),
        (GLIBC, ["main", "parse_line"]),
        (ASSERTION, ["total"]),
        (BOOST, ["main", "shop::take"]),
        (ELIXIR, ["Shop.App.start", "Shop.Consumer.terminate"]),
        (PERL, ["main", "Shop::Cart::pay"]),
    ],
)
def test_own_functions(text, expected):
    """The application's frames are told from the library's, and named without what a compiler adds."""
    assert functions(text) == expected


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (GO_HTTP, "panic", "runtime error: index out of range [5] with length 3"),
        (GO_REPANIC, "panic", "assignment to entry in nil map"),
        (GO_DEADLOCK, "fatal error", "all goroutines are asleep - deadlock!"),
        (JAVA, "OrderException", "order 17 failed"),
        (KOTLIN, "UninitializedPropertyAccessException", "lateinit property db"),
        (LOGBACK_ROOT_FIRST, "MailException", "no mail"),
        (DOTNET, "InvalidOperationException", "Could not load"),
        (DOTNET_LOCAL, "ArgumentNullException", "Value cannot be null. (Parameter 'key')"),
        (MONO, "Exception", "broken"),
        (RUST_OLD, "panic", "assertion failed: `(left == right)`\n  left: `1`,\n right: `2`"),
        (RUST_FULL, "panic", "assertion `left == right` failed\n  left: 3\n right: 4"),
        (RUST_ANYHOW, "Error", 'no data for "map.yaml"'),
        (PHP, "Shop\\Unavailable", "no database"),
        (PHP_FPM, "Error", "Call to a member function name() on null"),
        (PHP_LARAVEL, "ErrorException", "Undefined variable $total"),
        (RUBY_NEW, "ZeroDivisionError", "divided by 0"),
        (RUBY_RAILS, "ActionView::Template::Error", "undefined method 'name' for nil"),
        (RUBY_SIDEKIQ, "NoMethodError", "undefined method 'pay' for an instance of Cart"),
        (ASAN, "AddressSanitizer", "heap-use-after-free"),
        (GDB, "SIGSEGV", "Segmentation fault"),
        (GLIBC, "SIGABRT", "stack smashing detected"),
        (ASSERTION, "Assertion failed", "n > 0"),
        (BOOST, "shop::Empty<int>", "nothing in it"),
        (LIBCPP, "std::out_of_range", "vector"),
        (UBSAN, "UndefinedBehaviorSanitizer",
         "signed integer overflow: 2147483647 + 1 cannot be represented in type 'int'"),
        (ELIXIR, "FunctionClauseError", "no function clause matching in Shop.Consumer.terminate/2"),
        (PERL, "die", 'Can\'t locate object method "pay" via package "Cart"'),
        ("bash: line 5: 4711 Segmentation fault      (core dumped) ./shop\n", "SIGSEGV", "Segmentation fault"),
    ],
)  # fmt: skip
def test_what_was_said(text, kind, message):
    """Class and message are found among what stands around them."""
    found = parse_foreign(text)
    assert found is not None
    assert (found["error_type"], found["error_message"]) == (kind, message)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (JAVA, ["SQLException"]),
        (LOGBACK_ROOT_FIRST, ["ConnectException"]),
        (DOTNET, ["FileNotFoundException"]),
        (DOTNET_OTHER, ["FileNotFoundException"]),
        (PHP, ["PDOException"]),
        (GO_REPANIC, []),
    ],
)
def test_causes(text, kinds):
    """What led to an error is its cause, in whichever order the language prints them; suppressed ones are none."""
    found = parse_foreign(text)
    assert found is not None
    assert [cause["error_type"] for cause in found["causes"]] == kinds
    assert all(cause["relation"] == "cause" and cause["frames"] for cause in found["causes"])


def test_two_panics_of_one_function():
    """What the runtime says tells two panics apart that one function can have."""
    assert group(GO_HTTP) != group(GO_HTTP.replace("index out of range [5] with length 3", "integer divide by zero"))
    other = RUST_OLD.replace(
        "assertion failed: `(left == right)`\n  left: `1`,\n right: `2`", "attempt to divide by zero"
    )
    assert group(RUST_OLD) != group(other)
    assert group(ASSERTION) != group(ASSERTION.replace("n > 0", "m > 0"))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "prefix",
    ["app_1  | ", "[pod/web-6f/main] ", "2026-11-27T10:00:00.123456789Z stdout F ", "Jul 13 01:40:12 host shop[12]: ",
     "2026-12-12T06:19:35.708427+00:00 app[web.1]: ", "\x1b[31m"],
)  # fmt: skip
def test_collectors(name, prefix):
    """What a log collector puts before each line does not count."""
    prefixed = "".join(f"{prefix}{line}\n" for line in ALL[name].splitlines())
    assert group(prefixed) == group(ALL[name])


@pytest.mark.parametrize("name", ALL)
def test_surroundings(name):
    """Lines before and after the stack do not count."""
    assert group(f"starting up\nlistening on :8080\n\n{ALL[name]}\n\ngoodbye\n") == group(ALL[name])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ValueError: no\n",
        "user 7 has no cart: see http://host/a.php",
        "TypeError: x is odd\n    at Cart.total (/srv/app/cart.js:10:5)\n    at async run (/srv/app/run.js:1:2)",
        "TypeError: x\n    at /srv/app/cart.js:10:5\n    at Object.<anonymous> (/srv/app/run.js:1:2)",
        "total@https://host/app.js:10:5\n",
        "Uncaught at home\n",
        "look at the plan (see page 3)\n",
    ],
)
def test_none_of_them(text):
    """Messages and JavaScript are left to others."""
    assert parse_foreign(text) is None


def test_python_stays_python():
    """A traceback of Python's that quotes another language is Python's."""
    text = (
        "Traceback (most recent call last):\n"
        '  File "/srv/app/jobs.py", line 3, in run\n    start()\n'
        f"RuntimeError: child said: {GO_HTTP}"
    )
    plain = text[: text.index("child said")]
    assert of_event({"traceback": text}) == of_event({"traceback": plain + "x"})


def test_platform_of_a_page():
    """What a browser sent is not searched for other languages."""
    stack = "Error: x\n    at Shop.total(Cart.java:3)\n"
    assert of_event({"platform": "javascript", "traceback": stack}) != group(stack)


MANGLED = st.tuples(st.sampled_from(sorted(ALL)), st.integers(0, 2**32))


def mangle(name: str, seed: int) -> str:
    """Return a stack with lines lost, doubled, cut, swapped, and a part of another in it."""
    dice = random.Random(seed)
    lines = ALL[name].splitlines()
    for _ in range(dice.randrange(1, 8)):
        at = dice.randrange(len(lines))
        what = dice.randrange(5)
        if what == 0 and len(lines) > 1:
            del lines[at]
        elif what == 1:
            lines.insert(at, lines[dice.randrange(len(lines))])
        elif what == 2:
            lines[at] = lines[at][: dice.randrange(len(lines[at]) + 1)]
        elif what == 3:
            lines[at] = lines[at].replace(dice.choice("(:)' /"), dice.choice(["", "((", "\0", "9" * 30]))
        else:
            lines[at:at] = dice.choice(list(ALL.values())).splitlines()[: dice.randrange(6)]
    return "\n".join(lines)


@settings(max_examples=300, deadline=None)
@given(MANGLED)
def test_mangled(mangled):
    """A damaged stack never raises, and what is read has the shape of an event."""
    found = parse_foreign(mangle(*mangled))
    if found is not None:
        for error in (found, *found["causes"]):
            assert isinstance(error["error_type"], str)
            assert isinstance(error["error_message"], str)
            assert all(
                isinstance(frame["function"], str) and isinstance(frame["file"], str) for frame in error["frames"]
            )
            assert all(isinstance(frame["in_app"], bool) for frame in error["frames"])
    group(mangle(*mangled))


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("goroutine 1 [running]:")
@example("thread '' panicked at ")
@example("thread 'a' panicked at 'x")
@example("Fatal error: Uncaught ")
@example(":1:in `'")
@example("\tat a.b(C.java:1)")
@example("   at A.B()")
@example("** (stop) x")
@example("terminate called ")
@example("#0 0x0")
@example("a at b.pl line 1.")
def test_any_text(text):
    """No text raises."""
    parse_foreign(text)
    group(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "\tat a.b.C.d(E.java:1)\n", "   at A.B.C(D e) in f:line 1\n", "goroutine 1 [running]:\n",
        "thread 'a' panicked at '",
        "#0 /a(1): b()\n", "\tfrom a:1:in `b'\n", "a:1:in `b': c (D)\n", "#0 0x0 in a b:1\n", "at ", "<", "(",
        "a.", "a:", "'",
        "Caused by: a.B: c\n", "terminate called after throwing an instance of 'a'\n", " (", "panic: \n", "::",
        "$1", "/",
        "PHP Fatal error:  Uncaught A: b in c:1\nStack trace:\n", "[object] (A(code: 0): ", " at a line 1",
        "0: 0x0 - <<", "---> ",
        "thread 'a' panicked at b:1:1:\nstack backtrace:\n  0: <", "A: ", "Assertion `",
        "1234-12-12 12:12:12 ", "a  | ",
        "panicked at goroutine 1 [ terminate called :1:in ` at a.b(C.java:1) ",
    ],
)  # fmt: skip
def test_time(text):
    """Every reader takes time in proportion to the text, whatever it holds."""
    lines = [*" ".join(ALL.values()).splitlines(), *(text * (MAX_TEXT // len(text))).split("\n")]
    joined = "\n".join(lines)
    for mark, read in foreign_text._READERS:
        begin = time.process_time()
        mark.search("a" + joined[-MAX_TEXT:])
        read(shape.lines_of(joined[-MAX_TEXT:]))
        read(lines)
        assert time.process_time() - begin < 2, read.__module__
    found = parse_foreign(joined * 5)
    assert found is None or len(found["frames"]) <= 500


@pytest.mark.parametrize(
    ("first", "then"),
    [("PHP Warning:  x in ", " in "), ("[object] (A(code: 0): ", " at "), ("Fatal error: Uncaught ", " in "),
     (" ", "a:1:in `b"), ("#0 0x0 in ", "/"), (" ", "goroutine 1 ["), ("at a.b.C.d(", "a."), ("A::", "A (")],
)  # fmt: skip
def test_time_of_long_lines(first, then):
    """Lines of thousands of characters that almost fit take no more."""
    line = first * (2000 // len(first)) + then * (2000 // len(then))
    for mark, read in foreign_text._READERS:
        begin = time.process_time()
        mark.search(line)
        read([line] * 20)
        assert time.process_time() - begin < 2, read.__module__


@pytest.mark.parametrize(
    ("head", "frame"),
    [("java.lang.StackOverflowError: null", "\tat a.b.Tree.{}(Tree.java:7)"),
     ("/app/tree.rb:3:in `{}': stack level too deep (SystemStackError)", "\tfrom /app/tree.rb:{line}:in `{}'")],
)  # fmt: skip
def test_endless_recursion(head, frame):
    """Endless recursion is one bug, wherever the stack is cut."""
    names = ["even", "odd", "next"] * 30
    texts = {
        "\n".join(
            [
                head.format(names[cut - 1]),
                *(frame.format(name, line=4 + at % 3) for at, name in enumerate(names[cut:-cut])),
            ]
        )
        for cut in range(1, 6)
    }
    assert len({group(text) for text in texts}) == 1
