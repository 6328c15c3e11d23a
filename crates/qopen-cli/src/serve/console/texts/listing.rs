//! Texts of long lists.

texts! {
    PAGES: "Pages of the list", "列表分页";
    COUNT: "{0} in all", "共 {0} 条";
    PAGE: "Page {0} of {1}", "第 {0} 页，共 {1} 页";
    FIRST: "First", "首页";
    PREVIOUS: "Previous", "上一页";
    NEXT: "Next", "下一页";
    LAST: "Last", "末页";
    SEARCH: "Search", "搜索";
}
