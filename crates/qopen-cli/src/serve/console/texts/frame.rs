//! Texts of every page, and of the login.

texts! {
    SKIP: "Skip to the content", "跳到正文";
    PAGES: "Pages", "页面";
    ROBOTS: "Robots", "机器人";
    PULLS: "Pulls", "拉取";
    LOG_OUT: "Log out", "退出登录";
    LOG_IN: "Log in", "登录";
    TOKEN: "Control token", "控制令牌";
    TOKEN_HINT: "The value of QOPEN_CONTROL_TOKEN, or of control_token in qopen.toml.", "即 QOPEN_CONTROL_TOKEN 的值，或 qopen.toml 中 control_token 的值。";
    WRONG_TOKEN: "The token is wrong.", "令牌不正确。";
    TOO_MANY_ATTEMPTS: "Too many wrong tokens came from this address. Try again in {0} s.", "来自此地址的错误令牌过多，请在 {0} 秒后重试。";
    LOGGED_OUT: "You are logged out.", "您已退出登录。";
    TIMES_IN: "Times are in {0}", "时间所用时区：{0}";
    NO_SUCH_PAGE: "There is no such page. The navigation has every page.", "没有此页面。请使用上方导航。";
    WRONG_METHOD: "This address does not take that request. Open the page from the navigation.", "此地址不接受该请求，请从导航打开页面。";
    STALE_FORM: "The form is too old or came from elsewhere, and nothing was done. Go back, reload the page and send it again.", "表单已过期或来自其他页面，未执行任何操作。请返回并刷新页面后重新提交。";
    NOT_A_FORM: "The body is not a form, or is larger than 64 KiB, and nothing was done. Send the form of a page.", "请求内容不是表单，或超过 64 KiB，未执行任何操作。请使用页面上的表单提交。";
    BAD_QUERY: "The address has a wrong or incomplete query. Open the page from the navigation.", "地址中的查询参数有误或不完整，请从导航打开页面。";
    SLOW_BODY: "The form took longer than 30 s to arrive, and nothing was done. Send it again.", "表单传输超过 30 秒，未执行任何操作。请重新提交。";
    PROBLEM: "This did not work", "操作未成功";
    UNEXPECTED: "qopen could not answer. Its log has the reason.", "qopen 无法响应，原因见日志。";
    OTHER_SITE: "Another page led here", "来自其他页面的链接";
    OTHER_SITE_WHY: "qopen shows nothing to requests that a page of another site caused. Continue if you meant to come here.", "为了安全，qopen 不响应由其他网站页面发起的请求。如果您确实要访问，请继续。";
    CONTINUE: "Continue to the console", "进入控制台";
    SECONDS: "{0}\u{A0}s", "{0}\u{A0}秒";
    MINUTES: "{0}\u{A0}min", "{0}\u{A0}分钟";
    HOURS: "{0}\u{A0}h", "{0}\u{A0}小时";
    DAYS: "{0}\u{A0}d", "{0}\u{A0}天";
}
